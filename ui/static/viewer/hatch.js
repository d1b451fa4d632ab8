// Ignored pixels are hatched on the screen, not in the map, so that stripes look alike at any size.

let pattern = null;

function stripes(context) {
  if (!pattern) {
    const tile = new OffscreenCanvas(8, 8);
    const ink = tile.getContext("2d");
    ink.fillStyle = "rgb(118, 126, 126)";
    ink.fillRect(0, 0, 8, 8);
    ink.strokeStyle = "rgb(232, 236, 236)";
    ink.lineWidth = 2.5;
    ink.beginPath();
    for (const x of [-8, 0, 8]) { ink.moveTo(x - 2, 10); ink.lineTo(x + 10, -2); }
    ink.stroke();
    pattern = context.createPattern(tile, "repeat");
  }
  return pattern;
}

/** A canvas that is opaque where labels are ignored, or null where none is. */
export function ignoredMask(values, width, height, ignore) {
  if (!values.includes(ignore)) return null;
  const mask = new OffscreenCanvas(width, height);
  const context = mask.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < values.length; i++) if (values[i] === ignore) pixels[i] = 0xff000000;
  context.putImageData(image, 0, 0);
  return mask;
}

let sheet = null;

/** Draws the mask hatched where `context`'s transform and `at` {width, height} put it. */
export function drawHatched(context, mask, at) {
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
  ink.fillStyle = stripes(ink);
  ink.fillRect(0, 0, width, height);
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(sheet, 0, 0);
  context.restore();
}
