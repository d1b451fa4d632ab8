// How far the workspace is: the bar, the counts by verdict and by class, the pace and the time left.
import { el, formatNumber, getJSON } from "../ui.js";
import { VERDICT } from "./list.js";

// Longer than this between two verdicts was a pause, not work.
const PAUSE = 90;
const FEWEST = 4;

export class Progress {
  constructor() {
    this.counts = null;
    this.stamps = [];
    this.bar = el("div", { class: "cu-bar", role: "img" });
    this.numbers = el("div", { class: "cu-counts" });
    this.pace = el("p", { class: "cu-pace tm-faint", hidden: true });
    this.table = el("table", { class: "tm-table cu-classes" });
    this.classes = el("details", { class: "cu-more cu-by-class", ontoggle: () => this.#readClasses() }, el("summary", {}, "By class"), el("div", {}, this.table));
    this.element = el("div", { class: "cu-progress" }, this.bar, this.numbers, this.pace, this.classes);
  }

  /** Takes the server's counts, the classes they are told by, and when this reviewer decided last. */
  update(counts, classes, ages = null) {
    this.counts = counts;
    this.known = classes;
    if (ages) this.stamps = ages.map((age) => Date.now() / 1000 - age).sort((a, b) => a - b);
    if (this.classes.open) this.#readClasses();
  }

  /** A verdict was given here: counted at once, the server's word comes later. */
  decided(from, to) {
    if (!this.counts) return;
    this.counts.verdicts[from] -= 1;
    this.counts.verdicts[to] += 1;
    this.worked();
  }

  /** A mask was judged now, by a verdict or by a fix: so much for the pace. */
  worked() {
    this.stamps = [...this.stamps.slice(-200), Date.now() / 1000];
  }

  /** Draws; `left` is how many wait in this view, null where none wait by their nature. */
  render(left) {
    if (!this.counts) return;
    const { total, verdicts } = this.counts;
    const kept = verdicts.accept + verdicts.fix;
    const part = (verdict, label, number = verdicts[verdict]) => el("span", { class: `cu-count ${verdict}`, title: `${formatNumber(number)} of ${formatNumber(total)} candidates are ${VERDICT[verdict]}`, dataset: { verdict } }, el("b", {}, formatNumber(number)), ` ${label}`);
    const share = (name, value) => el("i", { class: name, style: { flexGrow: value } });
    this.bar.setAttribute("aria-label", `${total - verdicts.undecided} of ${total} decided`);
    this.bar.replaceChildren(share("accept", kept), share("reject", verdicts.reject), share("skip", verdicts.skip), share("undecided", verdicts.undecided));
    this.numbers.replaceChildren(...[part("undecided", "left"), part("accept", "accepted"), verdicts.fix ? part("fix", "fixed") : null, part("reject", "rejected"), part("skip", "skipped")].filter(Boolean));
    const perMinute = rate(this.stamps);
    this.pace.hidden = perMinute === null;
    if (perMinute !== null) {
      const told = `${formatNumber(perMinute, perMinute < 10 ? 1 : 0)} a minute`;
      this.pace.textContent = left ? `${told}, ${duration((60 * left) / perMinute)} left` : told;
      this.pace.title = `${left ? `${formatNumber(left)} wait in this view. ` : ""}From your last ${this.stamps.length} verdicts; pauses of more than ${PAUSE} seconds do not count`;
    }
  }

  async #readClasses() {
    if (!this.classes.open) return;
    try {
      const { classes } = await getJSON("curate/counts", { by_class: true });
      const named = this.known.filter(({ id }) => classes[id]);
      this.table.replaceChildren(
        el("tr", {}, el("th", {}, "Class"), ["kept", "rejected", "left"].map((name) => el("th", { class: "number" }, name))),
        ...named.map(({ id, name, colour }) => {
          const { accept, fix, reject, skip, undecided } = classes[id];
          return el("tr", { dataset: { class: id } }, el("td", {}, el("span", { class: "cu-chip" }, el("i", { style: { background: colour } }), name)),
            [accept + fix, reject, undecided + skip].map((number) => el("td", { class: "number" }, formatNumber(number))));
        }));
    } catch (error) {
      this.table.replaceChildren(el("tr", {}, el("td", {}, error.message)));
    }
  }
}

/** Verdicts a minute, of times in seconds, the oldest first; null where there are too few to tell. */
export function rate(stamps) {
  const gaps = stamps.slice(1).map((at, i) => at - stamps[i]).filter((gap) => gap >= 0 && gap <= PAUSE);
  const seconds = gaps.reduce((sum, gap) => sum + gap, 0);
  return gaps.length < FEWEST || seconds < 1 ? null : (60 * gaps.length) / seconds;
}

/** 90 -> "about 2 min"; 5000 -> "about 1 h 23 min". */
export function duration(seconds) {
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return `about ${minutes} min`;
  return `about ${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
}
