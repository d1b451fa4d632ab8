// The stream of stages: frames of a header and a payload, read as they arrive.
import { stream } from "../ui.js";

/** POSTs to the inspection route and yields {header, bytes} for each frame; throws on abort. */
export async function* frames(body, { signal } = {}) {
  const response = await stream("inspect", body, { signal });
  const reader = response.body.getReader();
  let held = new Uint8Array(0);
  const need = async (count) => {
    while (held.length < count) {
      const { done, value } = await reader.read();
      if (done) return false;
      const joined = new Uint8Array(held.length + value.length);
      joined.set(held);
      joined.set(value, held.length);
      held = joined;
    }
    return true;
  };
  const take = (count) => {
    const taken = held.slice(0, count);
    held = held.subarray(count);
    return taken;
  };
  try {
    while (await need(4)) {
      const length = new DataView(take(4).buffer).getUint32(0, true);
      if (!(await need(length))) throw cutShort();
      const header = JSON.parse(new TextDecoder().decode(take(length)));
      if (!(await need(header.bytes))) throw cutShort();
      yield { header, bytes: take(header.bytes) };
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function cutShort() {
  return new Error("The server stopped in the middle of an answer. Its terminal says why; try again.");
}

/** A frame's pixels: an ImageBitmap for an image, else a Uint8Array or Int8Array of width x height. */
export async function decode(header, bytes) {
  if (header.encoding === "none") return null;
  if (header.encoding === "png" || header.encoding === "jpeg") {
    return createImageBitmap(new Blob([bytes], { type: `image/${header.encoding}` }));
  }
  const raw = header.encoding === "deflate" ? await inflate(bytes) : bytes;
  return header.dtype === "int8" ? new Int8Array(raw.buffer, raw.byteOffset, raw.length) : raw;
}

async function inflate(bytes) {
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}
