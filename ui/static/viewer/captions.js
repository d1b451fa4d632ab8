// The line beneath a picture: its numbers, each with what it means.
import { el, formatNumber } from "../ui.js";
import { DIFFERENCE_GRADIENT, SIDE_COLOURS, ZONES, gradient } from "./colours.js";
import { hatchSwatch } from "./hatch.js";
import { NOISE_RULES, noiseSwatch } from "./noise.js";
import { OUTCOMES, outcomeShares } from "./outcomes.js";
import { dot, percent, share } from "./shares.js";

const LIKELY = "How sure the network is that the tag is in the image, 0 to 1; for an image that has it, higher is better";

/** The nodes of a panel's caption. `shown` is what is painted: {kind, values}. */
export function captionOf(panel, shown) {
  const { kind, caption } = panel.header;
  if (kind === "note") return [el("span", { class: "tm-faint" }, "not made")];
  const write = BY_KIND[shown.kind] ?? (() => [el("span", { title: caption }, caption)]);
  return write(panel, shown);
}

const BY_KIND = {
  image: ({ header: { caption, numbers } }) => [el("span", { title: caption }, numbers.share === undefined ? caption : `${percent(numbers.share)} blurred, σ ${formatNumber(numbers.sigma, 1)} pixels`)],
  heat: (panel) => [...heat(panel), scale("0", gradient(panel.shared.view.colourMap), "1", "The colours from 0 to 1")],
  zones: ({ header: { numbers } }) => ZONES.map((zone) => share(dot(`var(${zone.token})`), zone.name, numbers[zone.name], `${zone.name} zone, ${percent(numbers[zone.name])} of the image. ${zone.title}`)),
  labels: (panel) => {
    const { numbers } = panel.header;
    const shares = Object.entries(numbers).filter(([name]) => name !== "background").map(([name, value]) =>
      share(name === "ignore" ? hatchSwatch("ignored") : dot(panel.side.colourOf(name)), name, value, `${name}: ${percent(value)} of the image's pixels`));
    return [...shares, miou(panel)];
  },
  errors: (panel, { values }) => {
    const shares = panel.header.details?.shares ?? outcomeShares(values);
    return [...OUTCOMES.map(({ name, colour, about }) => share(dot(colour), name, shares[name], `${name}: ${percent(shares[name])} of the pixels whose truth is known. ${about}`)), miou(panel)];
  },
  reliable: ({ header: { details }, side }) =>
    details.legend.map((entry) => {
      const rule = NOISE_RULES[entry.what];
      const title = rule ? `Removed first by the rule ${rule.title}: ${percent(entry.share)} of the image. ${rule.about}` : `Kept as ${entry.tag}: ${percent(entry.share)} of the image`;
      return share(noiseSwatch(entry, (tag) => side.colourOf(tag)), rule?.title ?? entry.tag, entry.share, title);
    }),
  difference: ({ header: { numbers } }) => [
    share(dot(SIDE_COLOURS.A), "A stronger", numbers.a, `A is stronger by more than 0.1 in ${percent(numbers.a)} of the image`),
    share(dot(SIDE_COLOURS.B), "B stronger", numbers.b, `B is stronger by more than 0.1 in ${percent(numbers.b)} of the image`),
    scale("B", DIFFERENCE_GRADIENT, "A", "Violet where B is stronger, orange where A is, clear where both agree"),
  ],
};

/** Where saliency comes from, for a narrow place: its kind and its weights' digest stand in the title. */
function sourceShown(caption) {
  return caption.replace(/^(?:network|folder):/, "").replace(/ \([0-9a-f]{8}\)/, "");
}

function heat({ stage, tag, header: { caption, numbers, details } }) {
  if (stage.startsWith("saliency.")) return [el("span", { title: numbers.raised === undefined ? "Mean saliency of this look over the image, 0 to 1" : `This look says at least 0.1 more of ${percent(numbers.raised)} of the image; mean now ${formatNumber(numbers.mean, 2)}` }, caption)];
  if (stage === "saliency") return [el("span", { title: `${caption}. The mean is that over the image, 0 to 1` }, `${sourceShown(caption)}, mean ${formatNumber(numbers.mean, 2)}`)];
  if (stage === "oaa.pass") {
    return [el("span", { title: `${caption}. The scores are the network's own, before any squashing: the gate compares them` }, `pass ${numbers.t} of ${numbers.T}`)];
  }
  if (numbers.more !== undefined) {
    return [el("span", { title: `${caption}. More of the object is better, more of the background is not` }, `+${percent(numbers.more)} attention`)];
  }
  if (stage === "oaa.accumulated" && details?.source === "history") return [el("span", { title: `${caption}. More passes show more of the object` }, numbers.passes ? `${numbers.passes} of ${numbers.t} passes` : "nothing yet")];
  if (details?.source === "model") return [el("span", { class: "tm-badge warn", title: caption }, "final network's")];
  const parts = [numbers.score === undefined || caption.startsWith("strongest") ? el("span", { title: caption }, caption) : el("span", { title: caption.endsWith(".") ? caption : LIKELY }, `score ${formatNumber(numbers.score, 2)}`)];
  if (numbers.mean === 0) parts.push(el("span", { class: "tm-badge warn", title: caption }, "all zero"));
  return tag ? parts : [el("span", { title: caption }, caption)];
}

function miou({ header: { details } }) {
  if (details?.miou === undefined) return null;
  const classes = Object.entries(details.iou).map(([name, value]) => `${name} ${(value * 100).toFixed(1)}`).join(", ");
  return el("span", { class: "tmv-miou", title: `Mean IoU with the truth, 0 to 100, higher is better: ${classes}` }, el("span", { class: "tmv-miou-word" }, "mIoU "), el("b", {}, (details.miou * 100).toFixed(0)));
}

function scale(low, image, high, title) {
  return el("span", { class: "tmv-scale", title }, low, el("i", { style: { backgroundImage: image } }), high);
}
