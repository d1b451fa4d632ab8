// Label maps in the browser: exact ids from the server, coloured here.

const IGNORE = 255;

/** Fetches a label map by digest: {width, height, ids: Uint8Array}. */
export async function fetchLabels(digest, { signal } = {}) {
  const response = await fetch(`/tagmask/api/curate/labels/${digest}`, { signal }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer.");
  });
  if (!response.ok) throw new Error(`The mask ${digest.slice(0, 12)} could not be loaded.`);
  const ids = new Uint8Array(await response.arrayBuffer());
  return {
    width: Number(response.headers.get("X-Width")),
    height: Number(response.headers.get("X-Height")),
    ids,
  };
}

/** 256 packed RGBA colours from classes [{id, colour: "#rrggbb"}]; 0 is clear, 255 a pale grey. */
export function palette(classes) {
  const table = new Uint32Array(256);
  for (const { id, colour } of classes) {
    const value = parseInt(colour.slice(1), 16);
    table[id] = (255 << 24) | ((value & 255) << 16) | (value & 0xff00) | (value >> 16);
  }
  table[IGNORE] = (150 << 24) | 0xd8d8d8;
  return table;
}

/** A canvas of the label map: filled, or (outline) only the borders, `thick` pixels wide. */
export function paintLabels({ width, height, ids }, colours, { outline = false, thick = 1 } = {}) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  if (!outline) {
    for (let i = 0; i < ids.length; i++) pixels[i] = colours[ids[i]];
  } else {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const here = ids[y * width + x];
        if (here === 0) continue;
        if (borders(ids, width, height, x, y, thick)) pixels[y * width + x] = colours[here] | 0xff000000;
      }
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function borders(ids, width, height, x, y, thick) {
  const here = ids[y * width + x];
  for (let d = 1; d <= thick; d++) {
    if (x - d < 0 || x + d >= width || y - d < 0 || y + d >= height) return true;
    const at = y * width + x;
    if (ids[at - d] !== here || ids[at + d] !== here || ids[at - d * width] !== here || ids[at + d * width] !== here) return true;
  }
  return false;
}

/** Which ids a label map holds, with their share of the image: [[id, share]], largest first. */
export function shares({ ids }) {
  const counts = new Uint32Array(256);
  for (let i = 0; i < ids.length; i++) counts[ids[i]]++;
  const found = [];
  counts.forEach((count, id) => { if (count && id) found.push([id, count / ids.length]); });
  return found.sort((a, b) => b[1] - a[1]);
}
