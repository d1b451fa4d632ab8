// What lies over the photograph: the mask, its reference, or where the two disagree.
import { el, formatNumber } from "../ui.js";

const BOTH = 1;
const MASK_ONLY = 2;
const REFERENCE_ONLY = 3;
const IGNORE = 255;
// Okabe and Ito's orange and blue, which people with any kind of colour vision tell apart.
const COLOURS = { [BOTH]: [255, 255, 255, 90], [MASK_ONLY]: [230, 159, 0, 255], [REFERENCE_ONLY]: [0, 114, 178, 255] };
const NONE = "No reference mask yet: the recipe “Mask scores” in Train makes one";

/** 256 packed RGBA colours of the reference and of where it differs. */
const palette = (() => {
  const table = new Uint32Array(256);
  for (const [id, [r, g, b, a]] of Object.entries(COLOURS)) table[id] = ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
  return table;
})();

/** What a layer ("mask", "reference", "difference") paints of a picture: {map, colours}; the mask where there is no reference. */
export function painted({ labels, reference }, layer, colours) {
  if (layer === "mask" || !reference) return { map: labels, colours };
  return { map: compared(labels, reference, layer === "reference"), colours: palette };
}

/** A label map of who covers a pixel: the reference alone, or mask and reference each and both. Ignored pixels are in no mask. */
export function compared(labels, reference, alone = false) {
  const ids = new Uint8Array(labels.ids.length);
  for (let i = 0; i < ids.length; i++) {
    const inReference = reference.ids[i] > 127;
    const inMask = labels.ids[i] !== 0 && labels.ids[i] !== IGNORE;
    if (alone) ids[i] = inReference ? REFERENCE_ONLY : 0;
    else if (inMask || inReference) ids[i] = inMask ? (inReference ? BOTH : MASK_ONLY) : REFERENCE_ONLY;
  }
  return { width: labels.width, height: labels.height, ids };
}

/** The buttons that choose a layer, and the legend of the one that is chosen. */
export class Layers {
  /** `onChange(layer)` hears "mask", "reference" or "difference"; `label(id)` prints an action's key. */
  constructor(onChange, label) {
    Object.assign(this, { onChange, label });
    this.layer = "mask";
    this.picture = null;
    const button = (layer, name, title) => el("button", {
      type: "button", class: "tm-button small quiet", "aria-pressed": "false", disabled: true, dataset: { act: layer, layer, title },
      onclick: () => this.toggle(layer),
    }, name, el("kbd", {}));
    this.buttons = [
      button("reference", "Reference", "Show the reference mask that the scores compare with"),
      button("difference", "Disagreement", "Show where the mask and its reference disagree"),
    ];
    this.legend = el("div", { class: "cu-legend", role: "status", hidden: true });
  }

  /** Turns to a layer, or from it back to the mask. */
  toggle(layer) {
    if (!this.picture?.reference) return;
    this.layer = this.layer === layer ? "mask" : layer;
    this.onChange(this.layer);
    this.#tell();
  }

  /** Takes another picture; the layer stays chosen for those that have a reference. */
  show(picture) {
    this.picture = picture;
    this.#tell();
  }

  /** Says anew which keys there are. */
  printKeys() {
    this.#tell();
  }

  #tell() {
    const has = Boolean(this.picture?.reference);
    for (const button of this.buttons) {
      button.disabled = !has;
      button.setAttribute("aria-pressed", String(has && button.dataset.layer === this.layer));
      button.title = has || !this.picture ? `${button.dataset.title} (key ${this.label(button.dataset.layer)})` : (this.picture.trouble ?? NONE);
    }
    this.legend.hidden = !has || this.layer === "mask";
    if (!this.legend.hidden) this.legend.replaceChildren(...legend(this.picture, this.layer));
  }
}

function legend({ labels, reference }, layer) {
  const counts = new Uint32Array(4);
  for (const id of compared(labels, reference, layer === "reference").ids) counts[id] += 1;
  const item = (id, name, title) => el("span", { class: "cu-legend-item", title },
    el("i", { style: { background: `rgba(${COLOURS[id].slice(0, 3)}, ${COLOURS[id][3] / 255})` } }), name, el("b", {}, `${formatNumber((100 * counts[id]) / labels.ids.length, 1)}%`));
  if (layer === "reference") {
    return [
      counts[REFERENCE_ONLY] ? item(REFERENCE_ONLY, "Reference", "What is salient in the photograph; its share of the image") : el("span", {}, "The reference is empty: nothing is salient here."),
      el("span", { class: "cu-legend-item", title: "The mask that is judged, in the colours of its classes" }, el("i", { class: "line" }), "Outline of the mask"),
    ];
  }
  const all = counts[BOTH] + counts[MASK_ONLY] + counts[REFERENCE_ONLY];
  return [
    item(MASK_ONLY, "Mask only", "In the mask but not in the reference; share of the image"),
    item(REFERENCE_ONLY, "Reference only", "In the reference but not in the mask; share of the image"),
    item(BOTH, "Both", "In both; share of the image"),
    el("span", { class: "cu-legend-item", title: "Of all that either covers, the part that both cover" }, "IoU", el("b", {}, all ? `${formatNumber((100 * counts[BOTH]) / all, 0)}%` : "–")),
  ];
}
