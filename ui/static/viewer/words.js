// What the stages and scores are called, and what they mean, in a sentence each.

const STAGE_TEXT = {
  image: { title: "Photograph", about: "The image as the workspace has it" },
  cam: { title: "CAM", about: "Class activation map: where the network sees a tag, divided by its maximum" },
  gradcam: { title: "GradCAM", about: "The last features, each channel weighted by the mean of its gradient: where the tag's score comes from" },
  gradcampp: { title: "GradCAM++", about: "As GradCAM, but each place counts by how much it lifts the score: several objects of a class show better" },
  layercam: { title: "LayerCAM", about: "The last features, each place weighted by its own gradient: finer than GradCAM" },
  "seenet.initial": { title: "Initial map", about: "SeeNet's first branch: where the network sees the tag before anything is erased" },
  "seenet.zones": { title: "Zones", about: "What SeeNet does to the features before it looks again: attention is erased, potential is kept, background turns its sign" },
  "seenet.erased": { title: "Map B", about: "SeeNet's second branch: what it still finds once the attention is erased" },
  "seenet.fused": { title: "Fused", about: "The stronger of both branches at each pixel" },
  "seenet.flipfused": { title: "Flip-fused", about: "The stronger of the fused map and that of the mirrored image: SeeNet's final map" },
  "oaa.pass": { title: "One pass", about: "A_t: where the network saw the tag at one training pass over this image; move through them on the time line" },
  "oaa.accumulated": { title: "Accumulated", about: "M_t: the passes up to the chosen one put together, those left out that the gate refused" },
  oaaplus: { title: "OAA+ map", about: "The integral attention model: a network that learnt the accumulated maps pixel by pixel" },
  "ecsnet.cam": { title: "First map", about: "F: where the network sees the tag in the whole image, at the chosen scale" },
  "ecsnet.erased": { title: "Erased image", about: "The image with the strongest parts of the first map blurred away" },
  "ecsnet.erasedcam": { title: "Second map", about: "F′: where the network sees the tag in what erasing left" },
  "ecsnet.reliable": { title: "Reliable set", about: "Which pixels of the second map are trusted as labels, and which noise rule removed the rest" },
  "ecsnet.refined": { title: "Refined map", about: "The first map spread over what looks alike by the refine module: ECS-Net's final map" },
  "dcsp.cam": { title: "Attention", about: "FCAN: the last layer's map of the tag, the largest of three scales, from its minimum to its maximum" },
  "dcsp.cues": { title: "Cues", about: "The harmonic mean of attention and saliency: where it reaches gamma the pixel goes to the strongest tag" },
  "dcsp.segmentation": { title: "Own labels", about: "What the same network segments, limited to background and the image's tags: the cues after adaptation" },
  zones: { title: "Zones", about: "Attention, potential and background, cut out of the strongest map (SeeNet)" },
  saliency: { title: "Saliency", about: "What stands out, whatever its class" },
  "fusion.seenet": { title: "SeeNet labels", about: "Background 1 − saliency against the weighted harmonic mean of attention and saliency" },
  "fusion.dcsp": { title: "DCSP labels", about: "The strongest harmonic mean of attention and saliency, where it reaches gamma" },
  "fusion.oaa": { title: "OAA labels", about: "The strongest of attention and background; where they disagree, pixels are ignored" },
  crf: { title: "Refined mask", about: "The chosen labels drawn to the image's edges by a dense CRF" },
  walk: { title: "Walked mask", about: "The attention after AffinityNet's random walk: it flows to neighbours that look alike, until regions are full" },
  grabcut: { title: "Cut mask", about: "The chosen labels cut out anew by their colours: GrabCut, what the zones are sure of kept" },
  "sal.score": { title: "Reference mask", about: "What the mask is scored against: salient pixels, drawn to edges by the CRF" },
  truth: { title: "Truth", about: "The true mask that came with this image" },
  "truth.attention": { title: "Attention errors", about: "The final attention at its threshold against the truth: hits, misses and false alarms" },
  "truth.error": { title: "Mask errors", about: "The mask that counts (refined, else the chosen fusion) against the truth" },
  difference: { title: "A − B", about: "The final attention of A less that of B: who sees the tag more strongly, and where" },
};

/** The looks for saliency with erasing between them; `number` counts from 1. */
const LOOK_TEXT = {
  erased: (number) => ({ title: `Erased ${number}`, about: `The image before look ${number}: what stood out so far is filled with the image's mean colour` }),
  raw: (number) => ({ title: `Look ${number}`, about: `What stands out at look ${number}, with what was found before erased` }),
  merged: (number) => (number === 1 ? { title: "Look 1", about: "What stands out at the first look, S1" } : { title: `S${number}`, about: `The most that any of ${number} looks said, pixel by pixel` }),
};

/** A stage's title and one sentence about it; a stage nobody described goes by its own name. */
export function stageText(stage) {
  const look = /^saliency\.step(\d+)(?:\.(erased|raw))?$/.exec(stage);
  if (look) return LOOK_TEXT[look[2] ?? "merged"](Number(look[1]));
  return STAGE_TEXT[stage] ?? { title: stage, about: `The stage ${stage}` };
}

/** What refines masks, by the setting's value. */
export const REFINED_TITLES = { crf: "CRF", walk: "Walk", grabcut: "GrabCut" };
export const REFINEMENTS = { crf: "Dense CRF", walk: "Random walk", grabcut: "GrabCut", none: "nothing" };

/** The groups of stages when two columns stand side by side. */
export const BANDS = {
  steps: { title: "Steps", about: "What each method does on its way" },
  final: { title: "Attention", about: "The map that each method ends with: zones, labels and scores stand on it" },
  difference: { title: "A − B", about: "Where the final maps differ: orange where A is stronger, violet where B is" },
  masks: { title: "Masks", about: "What both make of it, stage by stage" },
  truth: { title: "Truth", about: "How far both agree with the true mask" },
};

export const FUSION_TITLES = { seenet: "SeeNet", dcsp: "DCSP", oaa: "OAA" };

/** The scores: what they are and which way is good. */
export const SCORES = {
  AC: { title: "Boundary accuracy", about: "AC, 0 to 1, higher is better: how well the mask agrees with the reference mask (F-measure of the two)" },
  CD: { title: "Class distribution", about: "CD, 0 to 1, higher is better: the share of the mask's foreground that carries one of the image's tags" },
  SC: { title: "Coarse score", about: "SC = AC × CD, 0 to 1, higher is better: how much this mask can be trusted without a person" },
};

/** One sentence on what the scores say together. */
export function verdict({ AC, CD, SC }) {
  if (CD === 0) return "The mask is empty, so there is nothing to trust yet.";
  if (SC >= 0.8) return "Mask and saliency agree closely. That speaks for the mask, though saliency is no truth.";
  if (SC >= 0.55) return "Mask and saliency mostly agree: worth a look before it is kept.";
  if (AC < 0.3) return "Mask and saliency hardly overlap: the map may light up a part, or the object does not stand out.";
  return "Mask and saliency overlap only in part: expect missing or extra pieces.";
}

/** One sentence on two coarse scores. An empty mask has nothing to agree with, and CD 0 says that it is empty. */
export function verdictOfTwo(one, other) {
  const empty = [one, other].map(({ CD }) => CD === 0);
  if (empty[0] && empty[1]) return "Both masks are empty, so there is nothing to compare yet.";
  if (empty[0] || empty[1]) return `${empty[0] ? "A" : "B"}'s mask is empty; only ${empty[0] ? "B" : "A"}'s can agree with the saliency.`;
  if (one.AC === 0 && other.AC === 0) return "Neither mask overlaps the saliency anywhere.";
  const by = one.SC - other.SC;
  if (Math.abs(by) < 0.005) return "Both masks agree with the saliency equally well.";
  return `${by > 0 ? "A" : "B"}'s mask agrees better with the saliency, by ${Math.abs(by).toFixed(2)}.`;
}
