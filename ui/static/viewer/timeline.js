// OAA's time line: one tick a training pass, and a slider that goes through them.
import { el, formatNumber, tabVisible } from "../ui.js";
import { dot } from "./shares.js";

/** What became of a pass: its words, and the class that gives its tick a colour and a shape. */
const VERDICTS = {
  accumulated: { mark: "kept", title: "accumulated", about: "The tag scored above every class that is no tag, so the pass was put into the map" },
  refused: { mark: "refused", title: "refused", about: "A class that is no tag scored higher: the gate kept the pass out" },
  "warm-up": { mark: "warm", title: "warm-up", about: "The first passes are not gathered: the network knows too little yet" },
  "no attention": { mark: "none", title: "no attention", about: "No pixel spoke for the tag" },
};

const PACE = 240;
// For those who asked for less motion, a pass stays long enough to be looked at like a picture.
const CALM_PACE = 1200;

export class Timeline {
  /** `letter` is the side's; `onPass(pass, playing)`: 0 is the last pass. `onRest()`: playing ended. */
  constructor({ letter, onPass, onRest }) {
    Object.assign(this, { onPass, onRest });
    this.timer = null;
    this.total = 0;
    this.told = "";
    this.playButton = el("button", { type: "button", class: "tm-button quiet small icon", onclick: () => (this.timer ? this.pause() : this.play()) });
    this.place = el("span", { class: "tmv-pass", title: "Which training pass is shown, of how many" });
    this.slider = el("input", { type: "range", min: 1, step: 1, "aria-label": "Training pass", title: "The training pass to look at; arrow keys step", oninput: () => { this.pause(); this.#go(Number(this.slider.value)); } });
    this.legend = el("div", { class: "tmv-verdicts" });
    this.rows = el("div", { class: "tmv-passes" });
    this.root = el("div", { class: "tmv-timeline", hidden: true, role: "group", "aria-label": "Training passes" },
      el("div", { class: "tmv-transport" }, el("div", { class: "tmv-transport-at" }, el("span", { class: "tmv-badge", dataset: { side: letter } }, letter), this.playButton, this.place), el("div", { class: "tmv-track" }, this.slider)), this.rows, this.legend);
    this.#markPlaying();
  }

  /** Shows the passes that a side's panels tell of; hidden where there are none. `pass` is the one asked for, 0 the last. */
  show(side, pass) {
    // While another method is being computed, the panels of the one before still stand.
    const panels = side.table.some(({ name }) => name === "oaa.pass") ? side.panelsOf("oaa.pass") : [];
    const told = panels.filter((panel) => panel.header?.details?.verdicts).map((panel) => ({ panel, ...panel.header.details }));
    this.root.hidden = !told.length;
    if (!told.length) return this.pause();
    const [{ t, T }] = told;
    this.total = T;
    this.at = t;
    // The slider stays under the hand that moves it; ticks and pictures follow as answers come.
    const asked = pass === 0 ? T : Math.min(pass, T);
    this.slider.max = T;
    this.slider.disabled = this.playButton.disabled = T < 2;
    this.slider.value = asked;
    this.slider.style.setProperty("--share", T > 1 ? (asked - 1) / (T - 1) : 1);
    this.slider.setAttribute("aria-valuetext", `pass ${asked} of ${T}`);
    this.place.replaceChildren(el("b", {}, t), ` of ${formatNumber(T)}`);
    this.root.style.setProperty("--passes", T);
    const key = JSON.stringify(told.map(({ panel, verdicts, scores }) => [panel.tag, verdicts, scores]));
    if (key !== this.told) this.#draw(told);
    this.told = key;
    [...this.rows.children].forEach((row, index) => this.#mark(row, told[index]));
  }

  /** Goes through the passes from here, or from the first where the last is shown. */
  play() {
    this.wanted = this.at;
    if (this.at >= this.total) this.#go(1, true);
    const pace = matchMedia("(prefers-reduced-motion: reduce)").matches ? CALM_PACE : PACE;
    this.timer = setInterval(() => {
      if (!tabVisible("inspect")) return this.pause();
      const next = this.wanted + 1;
      if (next > this.total) return this.pause();
      this.#go(next, true);
    }, pace);
    this.#markPlaying();
  }

  pause() {
    if (!this.timer) return;
    clearInterval(this.timer);
    this.timer = null;
    this.#markPlaying();
    this.onRest();
  }

  #go(pass, playing = false) {
    this.wanted = pass;
    this.onPass(pass >= this.total ? 0 : pass, playing);
  }

  #markPlaying() {
    this.playButton.replaceChildren(icon(this.timer ? "M5 3.5v9M11 3.5v9" : "M5 3.2v9.6l7.5-4.8z", !this.timer));
    const words = this.timer ? "Pause" : "Play the passes";
    this.playButton.title = words;
    this.playButton.setAttribute("aria-label", words);
  }

  #draw(told) {
    this.rows.replaceChildren(...told.map(({ panel, verdicts, longest, kept, ...scores }) =>
      el("div", { class: "tmv-pass-row", dataset: { tag: panel.tag } },
        el("span", { class: "tmv-pass-tag", title: `${panel.tag}: ${kept} of ${verdicts.length} passes were accumulated in all` }, dot(panel.side.colourOf(panel.tag)), el("span", {}, panel.tag), el("span", { class: "tm-faint" }, `${kept}/${verdicts.length}`)),
        el("div", { class: "tmv-ticks" }, verdicts.map((verdict, index) =>
          el("i", { class: `tmv-tick ${VERDICTS[verdict]?.mark ?? "none"}`, title: whatBecame(panel.tag, index, verdict, scores), onclick: () => { this.pause(); this.#go(index + 1); } }))),
        // The longest sentence lies unseen under the one of this pass and makes the room for it.
        el("div", { class: "tmv-pass-said" }, el("p", { "aria-hidden": "true" }, longest), el("p", { class: "now" })))));
    const seen = new Set(told.flatMap(({ verdicts }) => verdicts));
    this.legend.replaceChildren(...Object.entries(VERDICTS).filter(([name]) => seen.has(name)).map(([, { mark, title, about }]) =>
      el("span", { title: about }, el("i", { class: `tmv-tick ${mark}` }), title)));
  }

  #mark(row, { t, said }) {
    row.querySelectorAll(".tmv-ticks > i").forEach((tick, index) => {
      tick.classList.toggle("later", index >= t);
      tick.classList.toggle("now", index === t - 1);
    });
    const line = row.querySelector(".tmv-pass-said > .now");
    line.textContent = line.title = said;
  }
}

/** A pass in a sentence: what became of it and by which scores. */
function whatBecame(tag, index, verdict, { scores, rivals, rival_classes: classes }) {
  const rival = classes[index] === null ? "" : `; the best class that is no tag, '${classes[index]}', ${formatNumber(rivals[index], 2)}`;
  return `Pass ${index + 1}: ${verdict}. '${tag}' scored ${formatNumber(scores[index], 2)}${rival}. ${VERDICTS[verdict]?.about ?? ""}.`;
}

function icon(path, filled) {
  return el("svg:svg", { viewBox: "0 0 16 16", width: 14, height: 14, "aria-hidden": "true", fill: filled ? "currentColor" : "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" }, el("svg:path", { d: path }));
}
