// What the stages, settings and scores are called, and what they mean, in a sentence each.

/** Stages by their name: the step in the order shown, a title and a sentence. */
export const STAGE_TEXT = {
  image: { step: "1", title: "Photograph", about: "The image as the workspace has it" },
  cam: { step: "2", title: "CAM", about: "Class activation map: where the network sees a tag, divided by its maximum" },
  zones: { step: "3", title: "Zones", about: "Attention, potential and background, cut out of the strongest map (SeeNet)" },
  saliency: { step: "4", title: "Saliency", about: "What stands out, whatever its class" },
  "fusion.seenet": { step: "5", title: "SeeNet labels", about: "Background 1 − saliency against the weighted harmonic mean of attention and saliency" },
  "fusion.dcsp": { step: "6", title: "DCSP labels", about: "The strongest harmonic mean of attention and saliency, where it reaches gamma" },
  "fusion.oaa": { step: "7", title: "OAA labels", about: "The strongest of attention and background; where they disagree, pixels are ignored" },
  crf: { step: "8", title: "Refined mask", about: "The chosen labels drawn to the image's edges by a dense CRF" },
  "sal.score": { step: "9", title: "Reference mask", about: "What the mask is scored against: salient pixels, drawn to edges by the CRF" },
};

export const FUSION_TITLES = { seenet: "SeeNet", dcsp: "DCSP", oaa: "OAA" };

/** Settings with a slider. `section` is where it stands. */
export const SLIDERS = [
  { name: "high", section: "zones", title: "High threshold", min: 0, max: 1, step: 0.01, about: "Attention zone: from this share of the map's maximum upwards. SeeNet uses 0.7" },
  { name: "low", section: "zones", title: "Low threshold", min: 0, max: 1, step: 0.01, about: "Background zone: under this share of the map's maximum. SeeNet uses 0.05" },
  { name: "weight", section: "fusion", title: "SeeNet w", min: 0, max: 5, step: 0.05, about: "How much the attention counts beside the saliency; more listens to the attention. SeeNet uses 1" },
  { name: "gamma", section: "fusion", title: "DCSP γ", min: 0, max: 1, step: 0.01, about: "A pixel goes to a tag where the mean of attention and saliency reaches it. DCSP uses 0.4" },
];

/** How far the CRF trusts the labels it begins with. */
export const CONFIDENCE = { name: "confidence", title: "Label confidence", min: 0.5, max: 1, step: 0.01, about: "How sure the CRF takes each label to be before it begins; IRN uses 0.7" };

/** The CRF's numbers. */
export const CRF_SLIDERS = [
  { name: "bilateral_weight", title: "Bilateral weight", min: 0, max: 20, step: 0.5, about: "How much pixels close in place and colour pull each other to one label" },
  { name: "bilateral_xy", title: "Bilateral reach", min: 1, max: 150, step: 1, about: "How far that pull reaches, in pixels" },
  { name: "bilateral_rgb", title: "Bilateral colour", min: 1, max: 40, step: 0.5, about: "How alike in colour pixels must be to pull, of 255" },
  { name: "gaussian_weight", title: "Smooth weight", min: 0, max: 20, step: 0.5, about: "How much near pixels pull each other whatever their colour" },
  { name: "gaussian_xy", title: "Smooth reach", min: 0.5, max: 20, step: 0.5, about: "How far smoothness reaches, in pixels" },
  { name: "iterations", title: "Iterations", min: 0, max: 20, step: 1, about: "Rounds of mean-field inference; ten are usual" },
];

/** The scores: what they are and which way is good. */
export const SCORES = {
  AC: { title: "Boundary accuracy", about: "AC, 0 to 1, higher is better: how well the mask agrees with the reference mask (F-measure of the two)" },
  CD: { title: "Class distribution", about: "CD, 0 to 1, higher is better: the share of the mask's foreground that carries one of the image's tags" },
  SC: { title: "Coarse score", about: "SC = AC × CD, 0 to 1, higher is better: how much this mask can be trusted without a person" },
};

/** One sentence on what the scores say together. */
export function verdict({ AC, CD, SC }) {
  if (CD === 0) return "The mask is empty, so there is nothing to trust yet.";
  if (SC >= 0.8) return "Mask and saliency agree closely: a mask to trust.";
  if (SC >= 0.55) return "Mask and saliency mostly agree: worth a look before it is kept.";
  if (AC < 0.3) return "Mask and saliency hardly overlap: the map may light up a part, or the object does not stand out.";
  return "Mask and saliency overlap only in part: expect missing or extra pieces.";
}
