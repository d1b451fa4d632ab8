// ECS-Net's noise suppression: what each rule removed from the reliable set, and what was kept.
import { el } from "../ui.js";
import { hatchSwatch } from "./hatch.js";
import { dot, percent } from "./shares.js";

/** The rules by the name that the server gives them, in the order in which a pixel is told of the first. */
export const NOISE_RULES = {
  erased: { code: 253, title: "erased", hatch: "erased", about: "Inside the blurred region: the second look cannot know what was there" },
  background: { code: 0, title: "background", hatch: null, about: "No tag is stronger than the background" },
  unsure: { code: 254, title: "unsure", hatch: "unsure", about: "The strongest tag stays under θ" },
};

/** The rule that removed pixels with this code, undefined for pixels that were kept. */
export function noiseRule(code) {
  return Object.values(NOISE_RULES).find((rule) => rule.code === code);
}

/** A dot or hatch for a code of the reliable set; `colourOf` is a tag's colour. */
export function noiseSwatch(entry, colourOf) {
  if (entry.what === "kept") return dot(colourOf(entry.tag));
  return hatchSwatch(NOISE_RULES[entry.what]?.hatch);
}

/** The legend beside ECS-Net's sliders: kept and removed, each pixel counted once as in the picture, one column a side. */
export class NoiseLegend {
  constructor() {
    this.body = el("tbody");
    this.root = el("table", { class: "tmv-noise", hidden: true }, this.body, el("caption", {}, "Each pixel is kept, or counts for the first rule that removes it."));
  }

  /** `sides` are those whose method has a reliable set. */
  render(sides) {
    const told = sides
      .map((side) => ({ letter: side.letter, side, header: side.panels.get("ecsnet.reliable")?.header }))
      .filter(({ header }) => header?.kind === "reliable");
    this.root.hidden = !told.length;
    if (!told.length) return;
    const [first] = told;
    const head = told.length > 1 ? el("tr", {}, el("td"), told.map(({ letter }) => el("td", { class: "number" }, letter))) : null;
    const row = (swatch, title, about, value) => el("tr", { title: about }, el("td", {}, swatch, title), told.map(({ header }) => el("td", { class: "number" }, value(header.details))));
    const part = ({ legend }, wanted) => percent(legend.filter(({ what }) => what === wanted).reduce((sum, { share }) => sum + share, 0));
    const right = ({ precision }) => (precision === null || precision === undefined ? "–" : percent(precision));
    const dots = first.header.details.legend.filter(({ what }) => what === "kept").map((entry) => noiseSwatch(entry, (tag) => first.side.colourOf(tag)));
    this.body.replaceChildren(...[head,
      row(el("span", { class: "tmv-dots-inline" }, dots), "kept", "Pixels that train the second look as labels, of the image: sure ones only, so few are normal", (details) => part(details, "kept")),
      told.some(({ header }) => "precision" in header.details) ? row(el("span"), "of these right", "The share of kept pixels whose class the truth confirms; higher is better", right) : null,
      ...Object.entries(NOISE_RULES).map(([name, rule]) => row(hatchSwatch(rule.hatch), `removed: ${rule.title}`,
        `${rule.about}. Of the image, what no rule above it removed; alone it would remove ${told.map(({ header }) => percent(header.details.alone[name])).join(" and ")}`, (details) => part(details, name))),
    ].filter(Boolean));
  }
}
