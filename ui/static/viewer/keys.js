// The Inspect tab's keys.
import { tabVisible, typing } from "../ui.js";

/** Lets single keys drive the tab while nobody types. */
export function bindKeys(tab) {
  document.addEventListener("keydown", (event) => {
    if (!tabVisible("inspect") || typing(event) || event.ctrlKey || event.metaKey || event.altKey || !tab.image) return;
    const { film, toolbar, images, shared: { camera } } = tab;
    const at = camera.point;
    const actions = {
      "+": () => camera.zoomAt(1.5, at?.x, at?.y),
      "=": () => camera.zoomAt(1.5, at?.x, at?.y),
      "-": () => camera.zoomAt(1 / 1.5, at?.x, at?.y),
      0: () => camera.reset(),
      "[": () => images.step(-1),
      "]": () => images.step(1),
      p: () => toolbar.toggle("photo"),
      m: () => toolbar.toggle("map"),
      o: () => toolbar.toggle("outline"),
      c: () => tab.toggleComparison(),
      d: () => tab.toggleDifference(),
      e: () => tab.toggleErrors(),
      Escape: () => { if (film.focused) film.focus(null); else camera.pin(null); },
      ...(film.focused ? { ArrowRight: () => film.step(1), ArrowLeft: () => film.step(-1) } : {}),
    };
    const action = actions[event.key];
    if (!action || (event.key.startsWith("Arrow") && event.target.closest?.(".tmv-thumbs"))) return;
    event.preventDefault();
    action();
  });
}
