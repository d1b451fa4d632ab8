// The Inspect tab: an image and its tags, through every stage, as the server makes them, on one side or on two.
import { barred, el, getJSON, onTabVisible, showTab, toast } from "../ui.js";
import { readAddress, readSettings, readView, readZoom, writeAddress } from "./address.js";
import { Beside } from "./beside.js";
import { Camera } from "./camera.js";
import { emptyState } from "./empty.js";
import { Film } from "./film.js";
import { heads, problems } from "./heads.js";
import { Images, dropAnywhere } from "./images.js";
import { bindKeys } from "./keys.js";
import { fetchBitmap, photograph } from "./photo.js";
import { Side } from "./side.js";
import { Source, SourceSection } from "./source.js";
import { Toolbar, keptView } from "./toolbar.js";
import { Vocabularies } from "./vocabularies.js";

const REST = 300;

export async function mount(root) {
  const tab = new InspectTab(root);
  await tab.start();
}

class InspectTab {
  constructor(root) {
    this.root = root;
    this.image = null;
    this.photo = null;
    this.comparing = false;
  }

  async start() {
    this.root.classList.add("tmv");
    try {
      this.options = await getJSON("inspect/options");
    } catch (error) {
      this.root.replaceChildren(el("div", { class: "tm-empty" }, el("h2", {}, "The tab could not start"), el("p", {}, error.message),
        el("button", { type: "button", class: "tm-button", onclick: () => this.start() }, "Try again")));
      return;
    }
    this.#build();
    const address = readAddress();
    this.#chooseSources(address);
    this.beside.settings.take(readSettings(this.options.settings));
    this.beside.choosePass(address.pass);
    const zoom = readZoom();
    await this.#firstImage(address.image);
    this.shared.camera.go(zoom);
    if (address.stage) this.film.focus(address.stage);
    bindKeys(this);
    window.addEventListener("tagmask:weights", (event) => this.#newWeights(event.detail?.id));
    window.addEventListener("tagmask:theme", () => this.film.recolourAll());
    window.addEventListener("hashchange", () => this.#followAddress());
    let fresh = true;
    onTabVisible("inspect", () => {
      this.film.layout();
      if (!fresh) this.#refreshChoices();
      this.#rest();
      fresh = false;
    });
  }

  #build() {
    const { options } = this;
    const camera = new Camera();
    const shown = () => this.sides;
    // A link shows maps as they were when it was made; what this browser keeps is left as it is.
    this.view = { ...keptView(), ...readView() };
    camera.addEventListener("view", () => this.#rest());
    this.shared = { camera, view: this.view, photo: () => this.photo, size: () => this.photo ?? this.image ?? { width: 3, height: 2 } };
    this.vocabularies = new Vocabularies({ options, sides: shown, onTags: (vocabulary) => this.#inspectWhere((side) => side.vocabulary === vocabulary), onImage: (image) => this.#imageChanged(image), onHide: () => this.film.recolourAll() });
    this.images = new Images({ readOnly: options.read_only || barred("trainer") !== "", onChoose: (image) => this.show(image), dotsOf: (image) => image.tags.map((name) => this.vocabularies.workspace.colourOf(name)) });
    this.both = ["A", "B"].map((letter) => this.#side(letter));
    this.beside = new Beside({ options, shared: this.shared, both: this.both, sides: shown, image: () => this.image, onErrors: () => this.toggleErrors(), onPass: () => this.#rest() });
    this.film = new Film(this.shared, { sides: shown, onFocus: () => this.#focusChanged() });
    this.film.differences.shown = this.view.difference;
    this.weights = new SourceSection(this.both.map(({ source }) => source));
    this.weights.list(options.weights, options.weight_problems);
    this.toolbar = new Toolbar({ view: this.view, film: this.film, camera, onView: (recolour) => { this.#rest(); if (recolour) this.film.recolourAll(); else this.film.drawAll(); }, onStep: (by) => this.images.step(by), onCompare: () => this.toggleComparison(), onDifference: () => this.toggleDifference(), onFigure: () => this.figure() });
    this.problems = el("div", { class: "tmv-problems" });
    this.empty = emptyState(barred("trainer") ? null : () => this.images.browse());
    this.root.replaceChildren(
      el("aside", { class: "tmv-left", "aria-label": "Image, tags and weights" }, this.images.root, this.vocabularies.roots, this.weights.root),
      el("main", { class: "tmv-centre" }, this.toolbar.root, this.problems, this.empty, this.film.root),
      this.beside.place(this.film, this.shared));
    if (!barred("trainer")) dropAnywhere(this.root, (files) => this.images.send(files));
    this.#sourcesChanged();
    this.beside.readout.render();
  }

  #side(letter) {
    const source = new Source(letter, { methods: this.options.methods, onChange: () => { this.#sourcesChanged(); this.#inspectWhere((side) => side.letter === letter); this.#writeAddress(); } });
    const side = new Side(letter, {
      shared: this.shared, source, settings: () => this.beside.settings, fallback: this.options.stages,
      tags: () => this.vocabularies.of(side.vocabulary), image: () => this.image, onFocus: (panel) => this.film.toggleFocus(panel),
      on: {
        arranged: () => this.film.arrange(),
        begin: () => this.#showProblems(),
        receive: (of, header, values) => this.#receive(of, header, values),
        done: (of, { seconds }, whole) => this.#done(of, seconds, whole),
        stale: (of, stages) => this.beside.stale(stages),
        failed: (of, sentence, signal) => this.#failed(of, sentence, signal),
      },
    });
    return side;
  }

  /** The sides that are shown. */
  get sides() {
    return this.comparing ? this.both : this.both.slice(0, 1);
  }

  /** Begins a comparison with other weights or another method, or ends it. */
  toggleComparison() {
    const [a, b] = this.both;
    if (this.comparing) return this.#close(b);
    if (!a.source.choice) return toast("There are no weights here to compare. Train some in the Train tab.", "info");
    if (!b.source.touched || b.source.equals(a.source)) b.source.choose(...a.source.other());
    this.#compare(true);
    this.#inspectWhere((side) => side === b);
  }

  /** Shows or hides the difference of both sides. */
  toggleDifference() {
    if (!this.comparing) return;
    this.toolbar.toggle("difference");
    this.film.showDifferences(this.view.difference);
  }

  /** Colours the masks by what is right and wrong about them, or by their classes again. */
  toggleErrors() {
    if (!this.image?.truth) return toast("No truth is known for this image, so that errors cannot be told.", "info");
    this.toolbar.set({ errors: !this.view.errors }, true);
    this.beside.truth.mark(this.view.errors);
  }

  #compare(on) {
    this.comparing = on;
    this.toolbar.comparing(on);
    this.weights.compare(on);
    this.#sourcesChanged();
    if (!on) this.both[1].close();
    this.film.arrange();
    this.#showProblems();
    this.#writeAddress();
  }

  /** Closes a side; what the other one shows stays. */
  #close(side) {
    const [a, b] = this.both;
    if (side === a) {
      a.source.choose(b.source.id, b.source.chosen);
      this.#compare(false);
      this.#inspectWhere(() => true);
    } else this.#compare(false);
  }

  /** After other weights, another method, or another number of sides: what hangs on them. */
  #sourcesChanged() {
    this.vocabularies.show();
    this.beside.arrange();
    this.film.heads.replaceChildren(...(this.comparing ? heads(this.both, (side) => this.#close(side)) : []));
  }

  /** Chooses what an address names; says so where something of it cannot be had. */
  #chooseSources({ weights, method, weights2, method2 }) {
    const [a, b] = this.both.map(({ source }) => source);
    const said = [weights || a.id ? a.choose(weights ?? a.id, method ?? "") : null, weights2 || method2 ? b.choose(weights2 ?? a.id ?? "", method2 ?? "") : null];
    for (const sentence of said.filter(Boolean)) toast(sentence, "warn");
    if (Boolean(weights2 || method2) !== this.comparing) this.#compare(!this.comparing);
    else this.#sourcesChanged();
  }

  async #firstImage(name) {
    await this.images.load(0).catch((error) => toast(error.message, "bad"));
    const image = (name && (await this.#imageNamed(name))) || this.images.rows[0];
    if (image) this.show(image);
    else this.#setEmpty(true);
  }

  /** The workspace's image of this name; null, and a word about it, where there is none. */
  async #imageNamed(name) {
    try {
      return await getJSON("inspect/image", { name });
    } catch (error) {
      toast(error.message, "warn");
      return null;
    }
  }

  #setEmpty(empty) {
    this.empty.hidden = !empty;
    this.film.root.hidden = empty;
    this.toolbar.root.hidden = empty;
  }

  /** Shows an image and starts its inspection. */
  show(image) {
    if (!image) return;
    this.#setEmpty(false);
    this.image = image;
    this.photo = null;
    this.shared.camera.pin(null);
    this.shared.camera.reset();
    this.images.select(image);
    this.toolbar.show(image);
    this.vocabularies.show(image);
    this.#writeAddress();
    this.#inspectWhere(() => true);
  }

  /** Makes all stages of these sides anew. */
  #inspectWhere(wanted) {
    if (!this.image) return;
    const keep = this.photo !== null;
    this.beside.expect({ fresh: !keep });
    for (const side of this.sides.filter(wanted)) side.inspect({ keep });
  }

  #receive(side, header, values) {
    if (header.stage === "image" && header.kind === "image" && (side === this.both[0] || !this.photo)) {
      this.photo = photograph(values);
      this.film.layout();
    }
    if (header.stage === side.final && header.tag && this.comparing) this.film.differences.update(...this.both, header.tag);
    if (header.stage === "truth" && this.view.errors) for (const panel of side.panels.values()) panel.recolour();
    this.beside.receive(side, header);
  }

  #done(side, seconds, whole) {
    if (whole) this.film.layout();
    this.toolbar.say(whole && !this.comparing ? `${(seconds * 1000).toFixed(0)} ms` : "");
    this.beside.tell();
  }

  async #failed(side, sentence, signal) {
    side.problem = sentence;
    this.#showProblems();
    if (this.photo) return;
    try {
      // Where nothing could be made, the photograph can still be looked at.
      const bitmap = await fetchBitmap(this.image.digest, signal);
      this.photo ??= photograph(bitmap);
      side.panels.get("image")?.receive({ stage: "image", kind: "image", tag: null, caption: `${bitmap.width} × ${bitmap.height} pixels`, numbers: {}, seconds: 0 }, bitmap);
      this.film.layout();
    } catch (error) {
      if (error.name !== "AbortError") side.stopWaiting();
    }
  }

  #showProblems() {
    if (this.sides.some(({ problem }) => problem)) this.toolbar.say("");
    this.problems.replaceChildren(...problems(this.sides, (side) => this.#inspectWhere((each) => each === side)));
  }

  /** The workspace's image has other tags now. */
  async #imageChanged(image) {
    this.image = image;
    this.images.select(image);
    if (this.options.classes.some(({ own, name }) => !own && image.tags.includes(name))) await this.#refreshChoices();
  }

  #focusChanged() {
    if (!this.beside.film) return;
    this.beside.nameOffer();
    this.#writeAddress();
  }

  async #newWeights(id) {
    await this.#refreshChoices();
    const said = id === undefined ? null : this.both[0].source.choose(String(id).includes(":") ? String(id) : `run:${id}`);
    if (said) toast(said, "warn");
    showTab("inspect");
    this.#sourcesChanged();
    this.#inspectWhere((side) => side === this.both[0]);
    this.#writeAddress();
  }

  async #refreshChoices() {
    try {
      const options = await getJSON("inspect/options");
      Object.assign(this.options, { classes: options.classes, weights: options.weights });
      this.vocabularies.workspace.classes = options.classes;
      this.beside.settings.listAffinities(options.affinities);
      const had = this.both[0].source.id;
      this.weights.list(options.weights, options.weight_problems);
      await this.images.load(this.images.offset);
      if (this.image) this.images.select(this.image);
      if (!had && this.both[0].source.id) { this.#sourcesChanged(); this.#inspectWhere(() => true); }
    } catch (error) {
      toast(error.message, "warn");
    }
  }

  /** Browsers refuse an address that changes too often: it follows when passes, sliders and the camera have rested. */
  #rest() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.#writeAddress(), REST);
  }

  #writeAddress() {
    clearTimeout(this.resting);
    if (!this.image) return;
    const [a, b] = this.both.map(({ source }) => source);
    const second = this.comparing ? { weights2: b.id, method2: b.chosen } : {};
    writeAddress({ image: this.image.name, weights: a.id, method: a.chosen, ...second, pass: this.beside.pass, stage: this.film.focused },
      { view: this.view, camera: this.shared.camera, settings: this.#moved() });
  }

  /** The settings that were moved; the pass has a place of its own in the address. */
  #moved() {
    const { oaa_pass: _, ...moved } = this.beside.settings.json();
    return moved;
  }

  /** A figure of what is on the page: the image by these weights, this method and these settings. */
  async figure() {
    // The dialog is fetched when it is wanted: the first tab has enough to load.
    const { openFigure } = await import("../compare/figure.js");
    const { id, chosen } = this.both[0].source;
    openFigure({ images: this.image ? [this.image.name] : [], columns: ["image", ...(this.image?.truth ? ["truth"] : []), ...(id ? ["attention", "saliency", "mask"] : [])], weights: id, settings: { ...this.#moved(), ...(chosen ? { method: chosen } : {}) } });
  }

  async #followAddress() {
    const address = readAddress();
    const seen = new URLSearchParams(location.hash.slice(1));
    // A link from another tab of the page may name the image alone; how it is shown then stays.
    const whole = seen.has("layers");
    if (whole) {
      this.toolbar.look(readView());
      this.film.showDifferences(this.view.difference);
      this.beside.truth.mark(this.view.errors);
    }
    const settled = whole ? this.beside.settings.take(readSettings(this.options.settings)) : [];
    const zoom = readZoom();
    const [a, b] = this.both.map(({ source }) => source);
    const now = [a.id, a.chosen, ...(this.comparing ? [b.id, b.chosen] : ["", ""])];
    const asked = [address.weights ?? a.id, address.method ?? "", address.weights2 ?? (address.method2 ? a.id : ""), address.method2 ?? ""];
    const moved = String(now) !== String(asked);
    if (moved) this.#chooseSources(address);
    const passed = this.beside.choosePass(address.pass);
    const image = address.image && address.image !== this.image?.name ? await this.#imageNamed(address.image) : null;
    if (image) this.show(image);
    else if (moved || passed) this.#inspectWhere(() => true);
    else if (settled.length) for (const side of this.sides) side.moved(settled);
    if (whole) this.shared.camera.go(zoom);
    this.film.focus(address.stage);
  }
}
