// The Inspect tab: an image and its tags, through every stage, as the server makes them.
import { api, el, getJSON, onTabVisible, reviewer, showTab, tabVisible, toast, typing } from "../ui.js";
import { Camera } from "./camera.js";
import { emptyState } from "./empty.js";
import { Film } from "./film.js";
import { Images, dropAnywhere } from "./images.js";
import { photograph } from "./photo.js";
import { Readout, Scores } from "./readout.js";
import { Requests } from "./requests.js";
import { SettingsPanel } from "./settings.js";
import { Tags } from "./tags.js";
import { Toolbar, keptView } from "./toolbar.js";
import { WeightsPicker } from "./weights.js";
import { STAGE_TEXT } from "./words.js";

export async function mount(root) {
  const tab = new InspectTab(root);
  await tab.start();
}

class InspectTab {
  constructor(root) {
    this.root = root;
    this.image = null;
    this.photo = null;
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
    const address = new URLSearchParams(location.hash.slice(1));
    const weights = address.get("weights");
    if (weights && !this.weights.choose(weights)) toast(`There are no weights '${weights.slice(0, 80)}' here; others were chosen.`, "warn");
    await this.#firstImage(address.get("image"));
    if (address.get("stage")) this.film.focus(address.get("stage"));
    document.addEventListener("keydown", (event) => this.#key(event));
    window.addEventListener("tagmask:weights", (event) => this.#newWeights(event.detail?.id));
    window.addEventListener("tagmask:theme", () => this.film.recolourAll());
    window.addEventListener("hashchange", () => this.#followAddress());
    let fresh = true;
    onTabVisible("inspect", () => {
      this.film.layout();
      if (!fresh) this.#refreshChoices();
      fresh = false;
    });
  }

  #build() {
    const { options } = this;
    const camera = new Camera();
    this.view = keptView();
    this.shared = {
      camera,
      view: this.view,
      photo: () => this.photo,
      size: () => this.photo ?? this.image ?? { width: 3, height: 2 },
      colourOfTag: (name) => this.tags.colourOf(name),
      nameOf: (id) => this.names.get(id) ?? `class ${id}`,
      visibleColour: (id) => { const name = this.names.get(id); return name && this.tags.hidden.has(name) ? null : name ? this.tags.colourOf(name) : "#8a8a8a"; },
      tagHidden: (name) => Boolean(name) && this.tags.hidden.has(name),
    };
    this.names = new Map(options.classes.map(({ id, name }) => [id, name]));
    this.tags = new Tags({ classes: options.classes, readOnly: options.read_only, onChange: (names) => this.#retag(names), onHide: () => this.film.recolourAll() });
    this.images = new Images({ readOnly: options.read_only, onChoose: (image) => this.show(image), dotsOf: (image) => image.tags.map((name) => this.tags.colourOf(name)) });
    this.weights = new WeightsPicker({ onChange: () => { this.tags.show(this.tags.names, this.weights.classes()); this.inspect(); } });
    this.weights.show(options.weights, options.weight_problems);
    this.settings = new SettingsPanel({ defaults: options.settings, presets: options.presets, saliency: options.saliency, crf: options.crf, onChange: (names) => { if (this.image) this.requests.moved(names); } });
    this.film = new Film(this.shared, { onFocus: () => this.#focusChanged() });
    this.toolbar = new Toolbar({ view: this.view, film: this.film, camera, stages: options.stages.map(({ name }) => name), onView: (recolour) => (recolour ? this.film.recolourAll() : this.film.drawAll()), onStep: (by) => this.images.step(by) });
    this.readout = new Readout(this.shared, this.film);
    this.scores = new Scores({ readOnly: options.read_only, onOffer: () => this.#offer() });
    this.requests = new Requests({
      stages: options.stages,
      body: () => this.#request(),
      fusion: () => this.settings.values.fusion,
      on: {
        begin: ({ tags }) => { for (const { id, name } of tags) this.names.set(id, name); },
        stage: (header, values) => this.#receive(header, values),
        done: ({ seconds }, whole) => this.toolbar.say(whole ? `${(seconds * 1000).toFixed(0)} ms` : ""),
        stale: (stages) => { this.film.expect(stages); if (stages.includes("sal.score")) this.scores.expect(); },
        error: (sentence, signal) => this.#failed(sentence, signal),
      },
    });
    this.problem = el("div", { class: "tmv-problem", role: "alert", hidden: true });
    this.empty = emptyState(options.read_only ? null : () => this.images.browse());
    this.root.replaceChildren(
      el("aside", { class: "tmv-left", "aria-label": "Image, tags and weights" }, this.images.root, this.tags.root, this.weights.root),
      el("main", { class: "tmv-centre" }, this.toolbar.root, this.problem, this.empty, this.film.root),
      el("aside", { class: "tmv-right", "aria-label": "Scores, settings and values" }, this.scores.root, this.settings.root, this.readout.root));
    if (!options.read_only) dropAnywhere(this.root, (files) => this.images.send(files));
    this.readout.render();
  }

  async #firstImage(name) {
    await this.images.load(0).catch((error) => toast(error.message, "bad"));
    let image = this.images.rows[0];
    if (name) {
      try {
        image = await getJSON("inspect/image", { name });
      } catch (error) {
        toast(error.message, "warn");
      }
    }
    if (image) this.show(image);
    else this.#setEmpty(true);
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
    this.tags.show(image.tags, this.weights.classes());
    this.#writeAddress();
    this.inspect();
  }

  /** Makes all stages anew. Pictures of the same image stay, dimmed, until theirs comes. */
  async inspect() {
    if (!this.image) return;
    const same = this.photo !== null;
    const stages = this.options.stages.map(({ name }) => name);
    this.film.arrange(stages, this.tags.names, { keep: same });
    if (same) this.film.expect(stages);
    this.scores.expect();
    await this.requests.whole();
  }

  #request() {
    return { image: this.image.digest, tags: this.tags.names, weights: this.weights.id, settings: this.settings.json() };
  }

  #receive(header, values) {
    this.#setProblem(null);
    if (header.kind === "image") {
      this.photo = photograph(values);
      this.film.layout();
    }
    this.film.receive(header, values);
    if (header.stage === "sal.score") this.scores.receive(header);
    this.readout.later();
  }

  async #failed(sentence, signal) {
    this.#setProblem(sentence);
    this.film.stopWaiting();
    if (!this.photo) await this.#showPhotoAlone(signal);
  }

  /** Where nothing could be made, the photograph can still be looked at. */
  async #showPhotoAlone(signal) {
    const { digest, width, height } = this.image;
    try {
      const bitmap = await createImageBitmap(await (await fetch(`/tagmask/files/${digest}`, { signal })).blob());
      this.photo ??= photograph(bitmap);
      this.film.receive({ stage: "image", kind: "image", tag: null, caption: `${width} × ${height} pixels`, numbers: {}, seconds: 0 }, bitmap);
      this.film.layout();
    } catch (error) {
      if (error.name !== "AbortError") this.film.stopWaiting();
    }
  }

  #setProblem(sentence) {
    this.problem.hidden = !sentence;
    if (!sentence) return;
    this.toolbar.say("");
    this.problem.replaceChildren(el("p", {}, sentence), el("button", { type: "button", class: "tm-button small", onclick: () => this.inspect() }, "Try again"));
  }

  async #retag(names) {
    const image = this.image;
    if (!image) return;
    if (!this.options.read_only) {
      try {
        const changed = await api("inspect/tags", { image: image.digest, tags: names, reviewer: reviewer() });
        if (this.image.id !== image.id) return;
        this.image = changed;
        this.images.select(changed);
        if (this.options.classes.some(({ own, name }) => !own && changed.tags.includes(name))) await this.#refreshChoices();
      } catch (error) {
        toast(error.message, "bad");
        this.tags.show(image.tags, this.weights.classes());
        return;
      }
    }
    this.tags.show(names, this.weights.classes());
    this.inspect();
  }

  async #offer() {
    const stage = this.#offered();
    this.scores.offer.disabled = true;
    try {
      const made = await api("inspect/candidate", { ...this.#request(), stage });
      toast(made.new ? `${STAGE_TEXT[stage].title} of ${this.image.name}: now in the Curate queue.` : "This very mask is in the Curate queue already.", made.new ? "good" : "info");
      window.dispatchEvent(new CustomEvent("tagmask:candidates"));
    } catch (error) {
      toast(error.message, "bad");
    } finally {
      this.scores.offer.disabled = false;
    }
  }

  /** The mask that the button offers: the enlarged one, else the refined, else the chosen fusion. */
  #offered() {
    const focused = this.film.focused;
    if (focused?.startsWith("fusion.")) return focused;
    return this.film.panels.get("crf")?.header?.kind === "labels" ? "crf" : `fusion.${this.settings.values.fusion}`;
  }

  #focusChanged() {
    if (!this.scores) return;
    const stage = this.film.focused?.startsWith("fusion.") ? this.film.focused : null;
    this.scores.offer.textContent = stage ? `Offer ${STAGE_TEXT[stage].title}` : "Offer as candidate";
    this.#writeAddress();
  }

  async #newWeights(id) {
    await this.#refreshChoices();
    if (id !== undefined) this.weights.choose(String(id).includes(":") ? String(id) : `run:${id}`);
    showTab("inspect");
    this.tags.show(this.tags.names, this.weights.classes());
    this.inspect();
  }

  async #refreshChoices() {
    try {
      const options = await getJSON("inspect/options");
      Object.assign(this.options, { classes: options.classes, weights: options.weights });
      this.tags.classes = options.classes;
      for (const { id, name } of options.classes) this.names.set(id, name);
      const had = this.weights.id;
      this.weights.show(options.weights, options.weight_problems);
      await this.images.load(this.images.offset);
      if (this.image) this.images.select(this.image);
      if (!had && this.weights.id) this.inspect();
    } catch (error) {
      toast(error.message, "warn");
    }
  }

  #writeAddress() {
    if (!this.image || !tabVisible("inspect")) return;
    const address = new URLSearchParams(location.hash.slice(1));
    address.set("image", this.image.name);
    if (this.weights.id) address.set("weights", this.weights.id);
    if (this.film.focused) address.set("stage", this.film.focused);
    else address.delete("stage");
    history.replaceState(history.state, "", `#${address}`);
  }

  async #followAddress() {
    const address = new URLSearchParams(location.hash.slice(1));
    const name = address.get("image");
    if (name && name !== this.image?.name) {
      try {
        this.show(await getJSON("inspect/image", { name }));
      } catch (error) {
        toast(error.message, "warn");
      }
    }
    this.film.focus(address.get("stage"));
  }

  #key(event) {
    if (!tabVisible("inspect") || typing(event) || event.ctrlKey || event.metaKey || event.altKey || !this.image) return;
    const { camera } = this.shared;
    const at = camera.point;
    const actions = {
      "+": () => camera.zoomAt(1.5, at?.x, at?.y),
      "=": () => camera.zoomAt(1.5, at?.x, at?.y),
      "-": () => camera.zoomAt(1 / 1.5, at?.x, at?.y),
      0: () => camera.reset(),
      "[": () => this.images.step(-1),
      "]": () => this.images.step(1),
      p: () => this.toolbar.toggle("photo"),
      m: () => this.toolbar.toggle("map"),
      o: () => this.toolbar.toggle("outline"),
      Escape: () => { if (this.film.focused) this.film.focus(null); else camera.pin(null); },
      ...(this.film.focused ? { ArrowRight: () => this.film.step(1), ArrowLeft: () => this.film.step(-1) } : {}),
    };
    const action = actions[event.key];
    if (!action || (event.key.startsWith("Arrow") && event.target.closest?.(".tmv-thumbs"))) return;
    event.preventDefault();
    action();
  }
}
