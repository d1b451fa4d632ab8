// What stands beside the film: scores, the truth, settings, values at a pixel, and the time lines below it.
import { api, el, toast } from "../ui.js";
import { NoiseLegend } from "./noise.js";
import { Readout } from "./readout.js";
import { Scores } from "./scores.js";
import { SettingsPanel } from "./settings.js";
import { Timeline } from "./timeline.js";
import { TruthSection } from "./truth.js";
import { stageText } from "./words.js";

export class Beside {
  /** `both` are the two sides, `sides()` those shown, `image()` the one they show; `onErrors()` turns the error colours on or off, `onPass()` hears that another pass was chosen. */
  constructor({ options, shared, both, sides, image, onErrors, onPass }) {
    Object.assign(this, { both, sides, image, onPass, mostPasses: options.limits.oaa_pass[1] });
    this.settings = new SettingsPanel({ defaults: options.settings, presets: options.presets, saliency: options.saliency, crf: options.crf, affinities: options.affinities, onChange: (names) => this.#moved(names) });
    this.noise = new NoiseLegend();
    this.settings.sections.ecsnet.append(this.noise.root);
    this.scores = new Scores({ readOnly: options.read_only, onOffer: (letter) => this.#offer(both.find((side) => side.letter === letter)) });
    this.truth = new TruthSection({ threshold: this.settings.threshold, chosen: () => this.settings.values, onErrors });
    this.truth.mark(shared.view.errors);
    this.timelines = both.map(({ letter }) => new Timeline({ letter, onPass: (pass, playing) => this.#goToPass(pass, playing), onRest: () => { for (const side of sides()) side.requests.settle(); } }));
  }

  /** The column at the right of `film`, which also gets the time lines. */
  place(film, shared) {
    this.film = film;
    film.docks.append(...this.timelines.map(({ root }) => root));
    this.readout = new Readout(shared, film);
    return el("aside", { class: "tmv-right", "aria-label": "Scores, settings and values" },
      el("div", { class: "tmv-right-scroll" }, this.scores.root, this.settings.root, this.truth.root), this.readout.root);
  }

  /** Other weights, another method, or another number of sides. */
  arrange() {
    this.settings.follow(this.sides());
    this.#showPasses();
    this.scores.arrange(this.sides().map(({ letter }) => letter));
    for (const side of this.sides()) this.scores.bar(side.letter, side.vocabulary === "imagenet" ? "ImageNet's classes are not the workspace's, so this mask is for looking only" : null);
    for (const side of this.sides()) {
      const score = side.panels.get("sal.score");
      if (score?.header && !score.due) this.scores.receive(side.letter, score.header);
    }
    this.tell();
  }

  /** Another image, or all of it anew. */
  expect({ fresh }) {
    if (fresh) for (const timeline of this.timelines) timeline.pause();
    this.scores.expect();
    this.truth.render(this.sides(), this.image()?.truth);
  }

  /** These stages are being made again. */
  stale(stages) {
    if (stages.includes("sal.score")) this.scores.expect();
    if (stages.includes("truth.error")) this.truth.expect();
  }

  /** A frame has reached its panel. */
  receive(side, header) {
    if (header.stage === "sal.score") this.scores.receive(side.letter, header);
    if (header.stage === "oaa.pass") this.#showPasses();
    if (header.stage === "ecsnet.reliable") this.noise.render(this.sides());
    this.readout.later();
  }

  /** Says everything that the panels know by now. */
  tell() {
    this.#showPasses();
    this.noise.render(this.sides());
    this.truth.render(this.sides(), this.image()?.truth);
    this.readout?.later();
  }

  /** Says on the buttons which mask they offer: the enlarged one where it is a fusion. */
  nameOffer() {
    const { focused } = this.film;
    this.scores.name(focused?.startsWith("fusion.") ? stageText(focused).title : null);
  }

  /** The pass that is looked at where it is not the last and a side shown has passes, else null. */
  get pass() {
    const pass = this.settings.values.oaa_pass;
    return pass && this.sides().some((side) => side.requests.reads("oaa_pass")) ? pass : null;
  }

  /** Takes the pass that an address names, without asking for it; null, and what is no pass, is the last one. Answers whether it is another. */
  choosePass(text) {
    const named = /^[0-9]{1,9}$/.test(text ?? "") ? Number(text) : 0;
    const before = this.pass;
    this.settings.put("oaa_pass", named <= this.mostPasses ? named : 0);
    return this.pass !== before;
  }

  #showPasses() {
    this.timelines.forEach((timeline, at) => timeline.show(this.both[at], this.settings.values.oaa_pass));
  }

  #moved(names) {
    if (!this.image()) return;
    // The pass and the settings both stand in the address.
    this.onPass();
    for (const side of this.sides()) side.moved(names);
    this.tell();
  }

  #goToPass(pass, playing) {
    this.settings.put("oaa_pass", pass);
    for (const side of this.sides()) side.movedPass(playing);
    this.onPass();
  }

  async #offer(side) {
    const stage = this.#offered(side);
    const { name } = this.image();
    this.scores.lock(side.letter, true);
    try {
      const made = await api("inspect/candidate", { ...side.request(), stage });
      toast(made.new ? `${stageText(stage).title} of ${name}: now in the Curate queue.` : "This very mask is in the Curate queue already.", made.new ? "good" : "info");
      window.dispatchEvent(new CustomEvent("tagmask:candidates"));
    } catch (error) {
      toast(error.message, "bad");
    } finally {
      this.scores.lock(side.letter, false);
    }
  }

  /** The mask that the button offers: the enlarged one, else the refined, else the chosen fusion. */
  #offered(side) {
    const { focused } = this.film;
    const { refine, fusion } = this.settings.values;
    if (focused?.startsWith("fusion.")) return focused;
    return side.panels.get(refine)?.header?.kind === "labels" ? refine : `fusion.${fusion}`;
  }
}
