// The difference of two sides' final attention, tag by tag.
import { Panel } from "./panel.js";

const NOTABLE = 0.1 * 255;

export class Differences {
  /** `shown` says whether they are wanted; `onFocus(panel)` enlarges one. */
  constructor({ onFocus }) {
    this.onFocus = onFocus;
    this.panels = new Map();
    this.shown = false;
  }

  /** Makes a panel for each tag that both sides have a final map of. */
  arrange(a, b) {
    const old = this.panels;
    this.panels = new Map();
    if (!b) return;
    for (const { tag } of a.panelsOf(a.final)) {
      if (!tag || !b.panels.has(`${b.final}:${tag}`)) continue;
      const key = `difference:${tag}`;
      this.panels.set(key, old.get(key) ?? new Panel(key, "difference", tag, a, { onFocus: this.onFocus }));
    }
  }

  /** Works a tag's difference out, where both maps are there and as large as each other. */
  update(a, b, tag) {
    const panel = this.panels.get(`difference:${tag}`);
    if (!panel || !this.shown) return;
    const [one, other] = [a, b].map((side) => side.panels.get(`${side.final}:${tag}`));
    if (one?.header?.kind !== "heat" || other?.header?.kind !== "heat" || one.values.length !== other.values.length) {
      const missing = [one, other].find((each) => each?.header?.kind === "note");
      if (missing) panel.receive({ stage: "difference", kind: "note", tag, caption: `${missing.side.letter} has no map of ${tag}.`, numbers: {}, seconds: 0 }, null);
      return;
    }
    const values = new Int16Array(one.values.length);
    let [a_, b_] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      values[i] = one.values[i] - other.values[i];
      if (values[i] > NOTABLE) a_++;
      else if (values[i] < -NOTABLE) b_++;
    }
    const numbers = { a: a_ / values.length, b: b_ / values.length };
    const { width, height } = one.header;
    panel.receive({ stage: "difference", kind: "difference", tag, width, height, numbers, seconds: 0, caption: `A less B for ${tag}` }, values);
  }

  /** Works all of them out again. */
  updateAll(a, b) {
    for (const { tag } of this.panels.values()) this.update(a, b, tag);
  }
}
