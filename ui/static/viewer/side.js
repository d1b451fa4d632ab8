// One side: an image's stages by one network and one method, its panels and its requests.
import { Panel } from "./panel.js";
import { Requests } from "./requests.js";
import { isThere } from "./settings.js";

/** Stages that a change of the pass repaints at once while someone plays. */
const OAA_STAGES = new Set(["oaa.pass", "oaa.accumulated"]);

export class Side {
  /**
   * `source` chooses, `tags()` are the Tags of its vocabulary, `image()` and `settings()` as in the tab, `fallback` the table where there are no weights.
   * `on` has arranged(side), begin(side, header), receive(side, header, values), done(side, header, whole), stale(side, stages), failed(side, sentence, signal).
   */
  constructor(letter, { shared, source, tags, image, settings, fallback, onFocus, on }) {
    Object.assign(this, { letter, shared, source, tags, image, settings, fallback, onFocus, on });
    this.panels = new Map();
    this.names = new Map();
    this.problem = null;
    this.requests = new Requests({
      stages: () => this.table,
      body: () => this.request(),
      fusion: () => settings().values.fusion,
      on: {
        begin: (header) => this.#begin(header),
        stage: (header, values) => this.#receive(header, values),
        done: (header, whole) => { if (whole) this.#finish(); on.done(this, header, whole); },
        stale: (stages) => { this.expect(stages); on.stale(this, stages); },
        error: (sentence, signal) => { this.stopWaiting(); on.failed(this, sentence, signal); },
      },
    });
  }

  /** Every stage that this method can have, in order, as the server's table has them. */
  get whole() {
    return this.source.method?.stages ?? this.fallback;
  }

  /** Those of them that the settings choose. */
  get table() {
    return this.whole.filter((stage) => isThere(stage, this.settings().values));
  }

  /** The per-tag stage that everything after it stands on. */
  get final() {
    return this.source.method?.final ?? "cam";
  }

  /** The names of the method's own stages. */
  get own() {
    const names = this.table.map(({ name }) => name);
    return names.slice(1, names.findIndex((name) => name === "zones" || name.startsWith("saliency")));
  }

  /** The tags that these weights know; the method's first stage says of the others that they do not. */
  get knownTags() {
    const classes = new Set(this.source.choice?.classes.map((name) => name.toLowerCase()));
    return this.tags().names.filter((name) => this.vocabulary === "imagenet" || classes.has(name.toLowerCase()));
  }

  get vocabulary() {
    return this.source.choice?.vocabulary ?? "workspace";
  }

  /** The true labels at the size of the maps, or null where none are known. */
  get truth() {
    const panel = this.panels.get("truth");
    return panel?.header?.kind === "labels" ? panel.values : null;
  }

  /** What the server is asked. */
  request() {
    const { id, chosen } = this.source;
    return { image: this.image().digest, tags: this.tags().asked(), weights: id, settings: { ...this.settings().json(), ...(chosen ? { method: chosen } : {}) } };
  }

  /** Makes the panels of this method and these tags; with `keep`, those that stay keep their picture. */
  arrange({ keep = false } = {}) {
    const truth = Boolean(this.image()?.truth);
    const first = this.own[0];
    const old = this.panels;
    const tagsOf = ({ name, per_tag: perTag }) => (!perTag ? [] : name === first ? this.tags().names : this.knownTags);
    const wanted = this.table
      .filter(({ name }) => truth || !name.startsWith("truth"))
      .flatMap((stage) => { const tags = tagsOf(stage); return tags.length ? tags.map((tag) => [`${stage.name}:${tag}`, stage.name, tag]) : [[stage.name, stage.name, null]]; });
    const steps = new Map(this.table.map(({ name }, index) => [name, index + 1]));
    this.panels = new Map(wanted.map(([key, stage, tag]) => {
      const panel = (keep && old.get(key)) || new Panel(key, stage, tag, this, { onFocus: this.onFocus });
      panel.step.textContent = steps.get(stage);
      panel.absorbed = false;
      return [key, panel];
    }));
    this.on.arranged(this);
  }

  /** All stages anew. Pictures of the same image stay, dimmed, until theirs comes. */
  async inspect({ keep }) {
    this.arrange({ keep });
    for (const panel of this.panels.values()) panel.due = true;
    if (keep) this.expect(this.table.map(({ name }) => name));
    await this.requests.whole();
  }

  /** Settings moved; those that no stage here reads are passed over. */
  moved(names) {
    if (this.whole.some(({ when }) => when && names.includes(when[0]))) this.arrange({ keep: true });
    const read = names.filter((name) => this.requests.reads(name));
    if (read.length) this.requests.moved(read);
  }

  /** Another pass is looked at; while someone plays, only the maps of passes follow. */
  movedPass(playing) {
    if (this.requests.reads("oaa_pass")) this.requests.moved(["oaa_pass"], { quick: OAA_STAGES, hold: playing });
  }

  /** Marks the panels of these stages as being made. */
  expect(stages) {
    for (const panel of this.panels.values()) if (stages.includes(panel.stage)) panel.expect();
  }

  /** Nothing more will come: what is missing stays blank instead of promising. */
  stopWaiting() {
    for (const panel of this.panels.values()) panel.picture.classList.remove("tm-skeleton");
  }

  /** Ends the side's requests and forgets its pictures. */
  close() {
    this.requests.stop();
    this.panels = new Map();
    this.problem = null;
  }

  panelsOf(stage) {
    return [...this.panels.values()].filter((panel) => panel.stage === stage);
  }

  nameOf(id) {
    return this.names.get(id) ?? `class ${id}`;
  }

  colourOf(name) {
    return this.tags().colourOf(name);
  }

  /** A class id's colour, null where its tag is hidden. */
  visibleColour(id) {
    const name = this.names.get(id);
    if (!name) return "#8a8a8a";
    return this.tags().hidden.has(name) ? null : this.tags().colourOf(name);
  }

  tagHidden(name) {
    return Boolean(name) && this.tags().hidden.has(name);
  }

  #begin(header) {
    this.problem = null;
    // A true mask may show classes that are no tags of the image; ImageNet's have no ids of their own.
    const known = this.vocabulary === "workspace" ? this.tags().classes : [];
    this.names = new Map([...known, ...header.tags].map(({ id, name }) => [id, name]));
    const before = String(this.tags().names);
    this.tags().learn(header.tags);
    if (String(this.tags().names) !== before) this.arrange({ keep: true });
    this.on.begin(this, header);
  }

  #receive(header, values) {
    if (header.kind === "note" && header.tag && this.tags().forget(header.tag)) return this.arrange({ keep: true });
    const panel = this.panels.get(header.tag ? `${header.stage}:${header.tag}` : header.stage);
    if (panel) {
      panel.receive(header, values);
      if (panel.absorbed) { panel.absorbed = false; this.on.arranged(this); }
    } else if (header.kind === "note") this.#noteForAll(header);
    this.on.receive(this, header, values);
  }

  /** One sentence about a stage that has a panel a tag: the first panel says it, the others step back. */
  #noteForAll(header) {
    const [first, ...others] = this.panelsOf(header.stage).filter((panel) => panel.due || panel.header?.kind !== "note");
    if (!first) return;
    first.receive({ ...header, width: 0, height: 0 }, null);
    for (const panel of others) panel.absorbed = true;
    this.on.arranged(this);
  }

  /** The answer is whole: panels that got nothing step back, as long as anything is left to see. */
  #finish() {
    const silent = [...this.panels.values()].filter((panel) => panel.due);
    for (const panel of silent) panel.absorbed = true;
    this.stopWaiting();
    if (silent.length) this.on.arranged(this);
  }
}
