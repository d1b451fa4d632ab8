// Where two masks of an image differ: who is right, where the truth is known, else who sees an object.
import { el } from "../ui.js";
import { paintCodes, SIDE_COLOURS } from "../viewer/colours.js";

const IGNORE = 255;
const ONLY_A = 1, ONLY_B = 2, BOTH_WRONG = 3;
const NEITHER = "#f0e442";
const COLOURS = { [ONLY_A]: SIDE_COLOURS.A, [ONLY_B]: SIDE_COLOURS.B, [BOTH_WRONG]: NEITHER };

/** The codes of every pixel: 0 where both say the same, or the truth is not known. */
export function verdicts(a, b, truth) {
  const codes = new Uint8Array(a.length);
  for (let i = 0; i < a.length; i++) {
    const one = a[i] === IGNORE ? 0 : a[i];
    const two = b[i] === IGNORE ? 0 : b[i];
    if (one === two) continue;
    if (!truth) codes[i] = two === 0 ? ONLY_A : one === 0 ? ONLY_B : BOTH_WRONG;
    else if (truth[i] !== IGNORE) codes[i] = one === truth[i] ? ONLY_A : two === truth[i] ? ONLY_B : BOTH_WRONG;
  }
  return codes;
}

/** A canvas of where two masks differ, clear and dimmed where they do not. */
export function paintVerdicts({ a, b, truth }) {
  const same = a.width === b.width && a.height === b.height && (!truth || (truth.width === a.width && truth.height === a.height));
  const canvas = new OffscreenCanvas(a.width, a.height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(a.width, a.height);
  if (same) paintCodes(verdicts(a.ids, b.ids, truth?.ids), new Uint32Array(image.data.buffer), (code) => COLOURS[code] ?? null, 150);
  context.putImageData(image, 0, 0);
  return canvas;
}

/** What the colours mean. */
export function verdictLegend(known) {
  const words = known ? ["A alone is right", "B alone is right", "they differ, neither is right"] : ["object in A only", "object in B only", "another class"];
  return Object.values(COLOURS).map((colour, at) => el("span", { class: "cp-key" }, el("i", { class: "cp-dot", style: { background: colour } }), words[at]));
}
