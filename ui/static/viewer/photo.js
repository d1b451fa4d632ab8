// The photograph as drawn beneath the maps: in colour, in grey for heat, and pixel by pixel.

/** From an ImageBitmap: {width, height, colour, grey, at({x, y}) -> [r, g, b]}. */
export function photograph(bitmap) {
  const { width, height } = bitmap;
  const colour = new OffscreenCanvas(width, height);
  const pixels = colour.getContext("2d", { willReadFrequently: true });
  pixels.drawImage(bitmap, 0, 0);
  const grey = new OffscreenCanvas(width, height);
  const context = grey.getContext("2d");
  context.filter = "grayscale(1)";
  context.drawImage(bitmap, 0, 0);
  return {
    width,
    height,
    colour: bitmap,
    grey,
    at: ({ x, y }) => [...pixels.getImageData(Math.floor(x * width), Math.floor(y * height), 1, 1).data.slice(0, 3)],
  };
}

/** The photograph as the workspace keeps it, by its digest. */
export async function fetchBitmap(digest, signal) {
  return createImageBitmap(await (await fetch(`/tagmask/files/${digest}`, { signal })).blob());
}
