// Whose names the tags are: the workspace's, kept with the image, or ImageNet's, for looking only.
import { api, getJSON, reviewer, toast } from "../ui.js";
import { Tags } from "./tags.js";

export class Vocabularies {
  /** `sides()` are those shown; `onTags(vocabulary)` after a change, `onImage(image)` when the workspace's image changed. */
  constructor({ options, sides, onTags, onImage, onHide }) {
    Object.assign(this, { options, sides, onTags, onImage });
    this.image = null;
    this.seen = null;
    // What was chosen of ImageNet's classes, by the image's digest, for as long as the page is open.
    this.looks = new Map();
    this.workspace = new Tags({
      title: options.read_only ? "Tags to look for" : "Tags", about: "A tag names a class that is in the image, without saying where", field: "Add a tag",
      empty: "No tags yet. Name what is in the image; each tag gets a map.",
      classes: options.classes, onChange: (names) => this.#retag(names), onHide,
    });
    this.imagenet = new Tags({
      title: "ImageNet tags", about: "What the ImageNet weights look for; of the image's own tags, those that are ImageNet names come first", field: "Add an ImageNet tag",
      note: "For looking only: they are not kept with the image.", empty: "None of the image's tags is an ImageNet name. Search for one below.",
      classes: null, load: () => this.#imagenetClasses(),
      onChange: (names) => { this.looks.set(this.image.digest, names); onTags("imagenet"); }, onHide,
    });
    this.roots = [this.workspace.root, this.imagenet.root];
  }

  /** The tags of a vocabulary. */
  of(vocabulary) {
    return vocabulary === "imagenet" ? this.imagenet : this.workspace;
  }

  /** Shows an image's tags for the sides there are; a vocabulary that no side uses is hidden. */
  show(image = this.image) {
    this.image = image;
    const used = new Set(this.sides().map(({ vocabulary }) => vocabulary));
    this.imagenet.root.hidden = !used.has("imagenet");
    this.workspace.root.hidden = !used.has("workspace");
    if (!image) return;
    const known = this.sides().filter(({ vocabulary }) => vocabulary === "workspace").flatMap(({ source }) => source.choice?.classes ?? []);
    this.workspace.show(this.options.read_only && this.borrowed?.digest === image.digest ? this.borrowed.names : image.tags, known);
    // Until somebody chooses, the server does, and what it chose stays as long as the image does.
    const chosen = this.looks.get(image.digest) ?? null;
    if (chosen || image.digest !== this.seen) this.imagenet.show(chosen, null);
    this.seen = image.digest;
  }

  async #imagenetClasses() {
    const side = this.sides().find(({ vocabulary }) => vocabulary === "imagenet");
    return (await getJSON("inspect/classes", { weights: side.source.id })).classes;
  }

  async #retag(names) {
    const { image } = this;
    if (!image) return;
    if (this.options.read_only) this.borrowed = { digest: image.digest, names };
    else {
      try {
        const changed = await api("inspect/tags", { image: image.digest, tags: names, reviewer: reviewer() });
        if (this.image.id !== image.id) return;
        this.image = changed;
        await this.onImage(changed);
      } catch (error) {
        toast(error.message, "bad");
        this.show(image);
        return;
      }
    }
    this.show();
    this.onTags("workspace");
  }
}
