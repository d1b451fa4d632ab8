// The numbers that can be moved: what they are called, how far they go, what more of them does.

/** Settings with a slider. `section` is where it stands; `factor` times the value is what is shown. */
export const SLIDERS = [
  { name: "high", section: "zones", title: "High threshold", min: 0, max: 1, step: 0.01, about: "Attention zone: from this share of the map's maximum upwards. SeeNet uses 0.7" },
  { name: "low", section: "zones", title: "Low threshold", min: 0, max: 1, step: 0.01, about: "Background zone: under this share of the map's maximum. SeeNet uses 0.05" },
  { name: "scale", section: "ecsnet", title: "Scale β", min: 0.1, max: 1, step: 0.05, about: "The size at which the first map is made, of the image's; smaller sees more at once, coarser. ECS-Net uses 0.5" },
  { name: "erase", section: "ecsnet", title: "Erase from δ", min: 0, max: 1, step: 0.01, about: "The image is blurred where the first map reaches this share of its maximum; higher erases less. ECS-Net uses 0.6" },
  { name: "sigma", section: "ecsnet", title: "Blur σ", min: 0, max: 0.1, step: 0.001, factor: 448, digits: 1, about: "How strongly the erased part is blurred, in pixels of an image 448 wide; 0 leaves it sharp. ECS-Net uses 10" },
  { name: "reliable", section: "ecsnet", title: "Reliable θ", min: 0, max: 1, step: 0.01, about: "A pixel of the second map is trusted from this share of its maximum upwards; higher keeps fewer, surer pixels. ECS-Net uses 0.8" },
  { name: "weight", section: "fusion", title: "SeeNet w", min: 0, max: 5, step: 0.05, about: "How much the attention counts beside the saliency; more listens to the attention. SeeNet uses 1" },
  { name: "gamma", section: "fusion", title: "DCSP γ", min: 0, max: 1, step: 0.01, about: "A pixel goes to a tag where the mean of attention and saliency reaches it. DCSP uses 0.4" },
];

/** How often saliency is looked for, and what is erased before each further look. */
export const LOOKS = { name: "erasing_steps", title: "Looks", min: 1, max: 5, step: 1, about: "How often the image is looked at for saliency, what was found erased before each further look; DCSP takes 3, 1 erases nothing" };
export const ERASED = (number) => ({ name: "erase_above", title: `Erase before ${number}`, min: 0, max: 1, step: 0.01, about: `What is more salient than this is filled with the image's mean colour before look ${number}; DCSP erases above 0.7, then above 0.8` });

/** The random walk's numbers. */
export const WALK_SLIDERS = [
  { name: "walk_alpha", title: "Background α", min: 1, max: 64, step: 1, about: "The background walks along as (1 − strongest attention)^α: a larger α leaves it less. AffinityNet uses 16" },
  { name: "walk_beta", title: "Affinity β", min: 0, max: 32, step: 0.5, about: "Power of the affinities: a larger β lets maps flow only between what is very much alike. AffinityNet uses 8" },
  { name: "walk_steps", title: "Steps", min: 0, max: 1024, step: 8, about: "How many steps the maps walk, each to neighbours within 5 cells. AffinityNet uses 256" },
];

/** Where attention counts as an object when it is compared with the truth; its slider stands with the truth. */
export const TRUTH_THRESHOLD = { name: "truth_threshold", title: "Attention from", min: 0, max: 1, step: 0.01, about: "Final attention counts as an object from this value upwards when it is compared with the truth; move it to the best mIoU" };

/** Choices among a few names, beside the sliders. */
export const OAA_FUSION = { name: "oaa_fusion", title: "Put together by", options: [["", "as in training"], ["max", "maximum"], ["mean", "mean"]], about: "How the passes become one map: the maximum (OAA's choice, shows the most) or the running mean" };

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
