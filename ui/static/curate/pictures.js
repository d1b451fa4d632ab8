// Photographs and label maps, fetched ahead so that the next one is there before its key is pressed.
import { fetchLabels } from "../masks.js";

const KEPT = 24;

export class Pictures {
  constructor() {
    this.cache = new Map();
  }

  /** Resolves to {image: ImageBitmap, labels, reference} of a queue row; fetched once, kept while recent. */
  get(row) {
    const key = `${row.image_digest}/${row.digest}/${row.reference_digest ?? ""}`;
    let entry = this.cache.get(key);
    if (entry) {
      this.cache.delete(key);
    } else {
      entry = { ready: null, promise: load(row) };
      entry.promise.then((picture) => { entry.ready = picture; }, () => this.cache.delete(key));
    }
    this.cache.set(key, entry);
    while (this.cache.size > KEPT) {
      const [oldest, dropped] = this.cache.entries().next().value;
      this.cache.delete(oldest);
      dropped.promise.then(({ image }) => image.close(), () => {});
    }
    return entry;
  }
}

async function load(row) {
  const [image, labels, { reference, trouble }] = await Promise.all([
    fetch(`/tagmask/files/${row.image_digest}`).catch(() => {
      throw new Error("The server does not answer.");
    }).then(async (response) => {
      if (!response.ok) throw new Error(`The photograph ${row.image_name} could not be loaded; is its file still in the workspace?`);
      return createImageBitmap(await response.blob(), { imageOrientation: "from-image" });
    }),
    fetchLabels(row.digest),
    referenceOf(row),
  ]);
  if (reference && (reference.width !== labels.width || reference.height !== labels.height)) {
    return { image, labels, reference: null, trouble: "The reference mask has another size than the mask" };
  }
  return { image, labels, reference, trouble };
}

/** The reference mask, which a mask can be judged without: what keeps it away is a sentence, no error. */
async function referenceOf(row) {
  if (!row.reference_digest) return { reference: null, trouble: null };
  return fetchLabels(row.reference_digest).then(
    (reference) => ({ reference, trouble: null }),
    () => ({ reference: null, trouble: "The reference mask could not be loaded" }));
}
