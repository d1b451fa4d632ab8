// Some pixels are hatched on the screen, not in the map, so that stripes look alike at any size.
import { el } from "../ui.js";

// How each hatch is drawn, and its likeness for legends.
const HATCHES = {
  ignored: { ground: "rgb(118, 126, 126)", ink: "rgb(232, 236, 236)", width: 2.5, lines: [-1], css: "repeating-linear-gradient(45deg, #ddd 0 2px, #888 2px 4px)" },
  erased: { ground: "rgb(38, 34, 58)", ink: "rgb(176, 162, 236)", width: 1.5, lines: [-1, 1], css: "repeating-linear-gradient(45deg, #b0a2ec 0 1px, transparent 1px 4px), repeating-linear-gradient(-45deg, #b0a2ec 0 1px, #26223a 1px 4px)" },
  unsure: { ground: "rgb(120, 88, 30)", ink: "rgb(250, 214, 140)", width: 2, lines: [1], css: "repeating-linear-gradient(-45deg, #fad68c 0 1.5px, #78581e 1.5px 4px)" },
};

const patterns = new Map();

function pattern(context, name) {
  if (!patterns.has(name)) {
    const { ground, ink, width, lines } = HATCHES[name];
    const tile = new OffscreenCanvas(8, 8);
    const pen = tile.getContext("2d");
    pen.fillStyle = ground;
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = ink;
    pen.lineWidth = width;
    pen.beginPath();
    for (const way of lines) {
      for (const x of [-8, 0, 8]) {
        if (way < 0) { pen.moveTo(x - 2, 10); pen.lineTo(x + 10, -2); }
        else { pen.moveTo(x - 2, -2); pen.lineTo(x + 10, 10); }
      }
    }
    pen.stroke();
    patterns.set(name, context.createPattern(tile, "repeat"));
  }
  return patterns.get(name);
}

/** A square of a hatch for a legend; an empty one where `name` is null. */
export function hatchSwatch(name) {
  return el("i", { class: "tmv-dot square", style: { background: name ? HATCHES[name].css : "transparent", boxShadow: name ? "" : "inset 0 0 0 1.5px var(--tm-line-strong)" } });
}

/** A canvas that is opaque where a map has this value, or null where none has. */
export function maskOf(values, width, height, value) {
  if (!values.includes(value)) return null;
  const mask = new OffscreenCanvas(width, height);
  const context = mask.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < values.length; i++) if (values[i] === value) pixels[i] = 0xff000000;
  context.putImageData(image, 0, 0);
  return mask;
}

let sheet = null;

/** Draws a mask with the hatch `name` where `context`'s transform and `at` {width, height} put it. */
export function drawHatched(context, mask, name, at) {
  const { width, height } = context.canvas;
  sheet ??= new OffscreenCanvas(1, 1);
  if (sheet.width !== width || sheet.height !== height) Object.assign(sheet, { width, height });
  const ink = sheet.getContext("2d");
  ink.globalCompositeOperation = "source-over";
  ink.setTransform(1, 0, 0, 1, 0, 0);
  ink.clearRect(0, 0, width, height);
  ink.imageSmoothingEnabled = false;
  ink.setTransform(context.getTransform());
  ink.drawImage(mask, 0, 0, at.width, at.height);
  ink.setTransform(1, 0, 0, 1, 0, 0);
  ink.globalCompositeOperation = "source-in";
  ink.fillStyle = pattern(ink, name);
  ink.fillRect(0, 0, width, height);
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(sheet, 0, 0);
  context.restore();
}
