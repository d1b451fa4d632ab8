// Pointer and wheel on a picture: zoom at the cursor, drag to pan, click to keep a pixel.

// A hand that clicks still moves a little.
const STEADY = 4;
const SAME_PIXEL = 0.01;

/** Lets a panel's picture move the camera that all panels share. */
export function listen(panel) {
  const { picture, shared: { camera } } = panel;
  let drag = null;
  picture.addEventListener("wheel", (event) => {
    event.preventDefault();
    const point = panel.pointAt(event) ?? { x: camera.x, y: camera.y };
    camera.zoomAt(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0022)), point.x, point.y);
  }, { passive: false });
  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = { x: event.clientX, y: event.clientY, moved: false };
    picture.setPointerCapture(event.pointerId);
  });
  picture.addEventListener("pointermove", (event) => {
    if (!drag) return camera.hover(panel.pointAt(event));
    const dx = event.clientX - drag.x;
    const dy = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(dx, dy) < STEADY) return;
    const at = panel.frame();
    camera.panBy(dx / at.width, dy / at.height);
    Object.assign(drag, { x: event.clientX, y: event.clientY, moved: true });
    picture.classList.add("dragging");
  });
  const release = (event) => {
    if (drag && !drag.moved && event.type === "pointerup") {
      const point = panel.pointAt(event);
      const { pinned } = camera;
      camera.pin(point && pinned && Math.hypot(point.x - pinned.x, point.y - pinned.y) < SAME_PIXEL ? null : point);
    }
    drag = null;
    picture.classList.remove("dragging");
  };
  picture.addEventListener("pointerup", release);
  picture.addEventListener("pointercancel", release);
  picture.addEventListener("pointerleave", () => { if (!drag) camera.hover(null); });
  picture.addEventListener("dblclick", () => camera.reset());
}
