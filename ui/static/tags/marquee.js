// The pointer in the grid: a click selects, a drag draws a box around what is to be selected.
import { el } from "../ui.js";

const MOVED = 5;
const NEAR = 36;

/** Listens to a grid's pointer; `onOpen(place)` hears of a double click. */
export function listen(grid, selection, onOpen) {
  const { node, floor } = grid;
  const box = el("div", { class: "ta-box", hidden: true, "aria-hidden": "true" });
  floor.append(box);
  let drag = null;

  const content = (event) => {
    const frame = node.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top + node.scrollTop];
  };

  node.addEventListener("pointerdown", (event) => {
    // A finger scrolls; the scroll bar is the browser's.
    if (event.button !== 0 || event.pointerType === "touch" || event.offsetX > node.clientWidth && event.target === node) return;
    const [x, y] = content(event);
    drag = { x, y, at: event, moved: false, base: event.ctrlKey || event.metaKey || event.shiftKey ? new Set(selection.ids) : new Set(), pointer: event.pointerId };
  });
  node.addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.at = event;
    const [x, y] = content(event);
    if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < MOVED) return;
    if (!drag.moved) {
      drag.moved = true;
      node.setPointerCapture(drag.pointer);
      node.classList.add("drawing");
      requestAnimationFrame(scroll);
    }
    draw();
  });

  function draw() {
    const [x, y] = content(drag.at);
    const frame = { left: Math.min(x, drag.x), right: Math.max(x, drag.x), top: Math.min(y, drag.y), bottom: Math.max(y, drag.y) };
    Object.assign(box.style, { left: `${frame.left}px`, top: `${frame.top}px`, width: `${frame.right - frame.left}px`, height: `${frame.bottom - frame.top}px` });
    box.hidden = false;
    const places = grid.placesIn(frame);
    const ids = new Set(drag.base);
    for (const place of places) ids.add(grid.deck.ids[place]);
    selection.set(ids, places.at(-1) ?? selection.cursor);
  }

  /** Scrolls while the box is drawn over the upper or lower edge. */
  function scroll() {
    if (!drag?.moved) return;
    const { top, bottom } = node.getBoundingClientRect();
    const over = Math.min(0, drag.at.clientY - top - NEAR) || Math.max(0, drag.at.clientY - bottom + NEAR);
    if (over) {
      node.scrollTop += over / 2;
      draw();
    }
    requestAnimationFrame(scroll);
  }

  const end = () => {
    box.hidden = true;
    node.classList.remove("drawing");
    const was = drag;
    drag = null;
    return was;
  };
  node.addEventListener("pointerup", (event) => {
    const was = end();
    if (was?.moved) return;
    const place = grid.placeAt(...content(event));
    if (place < 0) return was && selection.clear();
    const adding = event.ctrlKey || event.metaKey;
    if (event.shiftKey) selection.range(place, adding);
    else if (adding || event.pointerType === "touch") selection.toggle(place);
    else selection.only(place);
  });
  node.addEventListener("pointercancel", end);
  node.addEventListener("dblclick", (event) => {
    const place = grid.placeAt(...content(event));
    if (place >= 0) onOpen(place);
  });
}
