// The photograph, both masks and the truth of an image, fetched once and kept while recent.
import { fetchLabels } from "../masks.js";

const KEPT = 16;

export class Pictures {
  constructor() {
    this.cache = new Map();
  }

  /** Resolves to {photo: ImageBitmap, a, b, truth} of a row; label maps {width, height, ids}, the truth null where none is known. */
  get(row) {
    const key = [row.digest, row.a.digest, row.b.digest, row.truth].join("/");
    let found = this.cache.get(key);
    if (found) this.cache.delete(key);
    else {
      found = load(row);
      found.catch(() => this.cache.delete(key));
    }
    this.cache.set(key, found);
    while (this.cache.size > KEPT) {
      const [oldest, dropped] = this.cache.entries().next().value;
      this.cache.delete(oldest);
      dropped.then(({ photo }) => photo.close(), () => {});
    }
    return found;
  }
}

async function load(row) {
  const [photo, a, b, truth] = await Promise.all([bitmap(row), fetchLabels(row.a.digest), fetchLabels(row.b.digest), row.truth ? fetchLabels(row.truth) : null]);
  return { photo, a, b, truth };
}

async function bitmap({ digest, name }) {
  const response = await fetch(`/tagmask/files/${digest}`).catch(() => { throw new Error("The server does not answer."); });
  if (!response.ok) throw new Error(`The photograph ${name} could not be loaded; is its file still in the workspace?`);
  return createImageBitmap(await response.blob(), { imageOrientation: "from-image" });
}
