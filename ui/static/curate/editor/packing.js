// Label ids on their way: deflated, byte for byte, never through a picture format.

/** Deflated bytes of ids. */
export async function deflated(ids) {
  return new Uint8Array(await through(ids, new CompressionStream("deflate")));
}

/** The ids again. */
export async function inflated(bytes) {
  return new Uint8Array(await through(bytes, new DecompressionStream("deflate")));
}

/** Deflated ids as text that fits into JSON. */
export async function packed(ids) {
  const bytes = await deflated(ids);
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

function through(bytes, stream) {
  return new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer();
}
