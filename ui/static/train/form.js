// The form on the left: what to train on, which recipe, with which numbers.
import { api, barred, el, formatNumber, getJSON, reviewer, toast } from "../ui.js";
import { readTau } from "../curate/tau.js";
import { earlierRun, field, firstOf, lookingWith, newestScorer, presetValue } from "./fields.js";
import { Preview } from "./preview.js";
import { inForm, moment } from "./words.js";

const TAGGED = "tagged";
const EVERY = "every";
// A classifier may look at images that nobody has tagged yet.
const LOOKS_AT_ALL = "suggest";
// An order that is pressed again so soon after it was queued, in milliseconds, is the same one.
const AGAIN = 10_000;
// SAL's policy that goes by scores as if nobody had decided.
const WITHOUT_DECISIONS = "scores-only";

export class Form {
  /** `onQueued(job)` hears of a job that was queued, `onFrozen()` of a new snapshot. */
  constructor({ workspace, onQueued, onFrozen }) {
    this.storage = `tagmask.train.form.${workspace}`;
    this.onQueued = onQueued;
    this.onFrozen = onFrozen;
    this.setup = null;
    this.state = { recipe: "classify", data: TAGGED, preset: {}, options: {}, ...this.#kept() };
    this.#forget();
    this.checking = null;
    this.body = el("div", { class: "tr-form-body" });
    this.rules = new Preview();
    this.command = el("code", { class: "tr-command-text" });
    this.copy = el("button", { type: "button", class: "tm-button quiet small", title: "Copy the command line", onclick: () => copyText(this.command.textContent) }, "Copy");
    this.train = el("button", { type: "submit", class: "tm-button primary tr-go", disabled: true }, "Train");
    this.node = el("form", { class: "tr-form", autocomplete: "off", onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
      this.body,
      el("div", { class: "tr-form-foot" },
        this.rules.node,
        el("div", { class: "tr-command", title: "What the supervisor will run; the snapshot and the run's number are filled in when it is queued" },
          el("header", {}, el("h3", {}, "Command"), this.copy), this.command),
        this.train));
  }

  /** Shows what can be trained now; a field being typed in keeps the focus. */
  update(setup) {
    this.setup = setup;
    if (!(this.state.recipe in setup.recipes)) this.state.recipe = Object.keys(setup.recipes)[0] ?? "classify";
    if (![TAGGED, EVERY].includes(this.state.data) && !setup.snapshots.some((one) => one.digest === this.state.data)) this.state.data = TAGGED;
    this.#render();
  }

  /** Fills in an order that another place began, for a person to look at and to start. */
  fill(recipe, options) {
    if (!this.setup?.recipes[recipe]) return;
    // Scores are of the masks of one run.
    const of = this.setup.scored.find((one) => one.id === options.scores)?.of;
    const masks = of ? { from_: of } : {};
    this.#set({ recipe, options: { ...this.state.options, [recipe]: { ...this.state.options[recipe], ...masks, ...options } } });
    this.body.scrollTop = 0;
    document.getElementById("tr-recipe")?.focus();
    toast(`The form is filled in for “${this.recipe.title}”.`, "good");
  }

  get recipe() {
    return this.setup.recipes[this.state.recipe];
  }

  get preset() {
    const { presets } = this.recipe;
    const chosen = this.state.preset[this.state.recipe] ?? this.setup.preset;
    return presets.includes(chosen) ? chosen : (presets[0] ?? null);
  }

  /** What the run is given; images without tags only where they can be looked at. */
  get data() {
    return this.state.data === EVERY && this.state.recipe !== LOOKS_AT_ALL ? TAGGED : this.state.data;
  }

  get options() {
    return (this.state.options[this.state.recipe] ??= {});
  }

  /** What is asked of the server: the recipe, the data and what differs from the preset. */
  order() {
    const known = new Set(this.recipe.options.map((option) => option.name));
    const entered = Object.entries(this.options).filter(([name]) => known.has(name));
    const options = Object.fromEntries(entered);
    if (this.recipe.presets.length) options.preset = this.preset;
    const looking = lookingWith(this.setup, this.state.recipe);
    if (looking !== null && !options.weights) options.weights = looking;
    if (known.has("from_")) options.from_ ??= earlierRun(this.setup, this.state.recipe, this.data !== TAGGED);
    // Of the masks that are learnt from, the scores that they were given last.
    if (known.has("scores")) options.scores ??= this.setup.scored.find((one) => one.of && one.of === options.from_)?.id ?? "";
    if (known.has("scorer")) options.scorer ??= newestScorer(this.setup);
    // A retraining goes on from the newest segmenter with this trunk, in part of the steps. Where decisions are to be passed over, not from a network that may have learnt from them.
    if (known.has("begin_with") && options.preset !== "paper" && options.policy !== WITHOUT_DECISIONS && !options.weights) options.begin_with ??= this.#segmenter(options) ?? "";
    return { recipe: this.state.recipe, data: this.data, options, reviewer: reviewer() };
  }

  #segmenter(options) {
    const backbone = options.backbone ?? presetValue(this.recipe.options.find((option) => option.name === "backbone"), this.preset);
    return this.setup.segmenters.find((one) => one.backbone === backbone)?.id;
  }

  /** What the network that training begins with was made by, and what beginning with it does to the steps. */
  #begins() {
    const { options } = this.order();
    const made = this.setup.segmenters.find((one) => one.id === options.begin_with)?.made ?? [];
    const said = made.map(({ name, by, policy }, i) => `${i ? `It began with ${name}, ${by || "of unknown making"}` : capital(by || "How it was made is not known")}${policy ? `, policy ${policy}` : ""}.`);
    const policy = options.policy ?? Object.keys(this.setup.policies)[0];
    if (made.some((one) => one.policy && one.policy !== policy)) said.push(`This run's policy is ${policy}: to compare two, begin both with the same network or with none.`);
    return [...said, this.#shorter()].filter(Boolean).join(" ");
  }

  /** What beginning with a trained segmenter does to the steps; nothing where it changes none. */
  #shorter() {
    const { options } = this.order();
    const value = (name) => Number(options[name] ?? presetValue(this.recipe.options.find((option) => option.name === name) ?? {}, this.preset));
    const part = value("retrain_part");
    // Steps that are given as a number are taken as they are.
    return options.begin_with && value("steps") <= 0 && part > 0 && part < 1 ? `Training then takes ${formatNumber(100 * part, 0)}% of the steps.` : "";
  }

  #render() {
    const focused = document.activeElement?.id;
    const { setup } = this;
    const open = this.body.querySelector("details")?.open ?? false;
    if (setup.trouble) {
      this.body.replaceChildren(this.#data(), el("section", { class: "tr-trouble", role: "alert" }, el("h3", {}, "Nothing can be trained"), el("p", {}, setup.trouble)));
      this.train.disabled = true;
      return;
    }
    this.body.replaceChildren(this.#data(), this.#recipes(), this.#options(open));
    this.train.textContent = { labels: "Make candidates", pipeline: "Run the pipeline", score: "Score", suggest: "Look for tags", losses: "Measure" }[this.state.recipe] ?? "Train";
    if (focused?.startsWith("tr-")) document.getElementById(focused)?.focus();
    this.#preview();
  }

  #data() {
    const { setup } = this;
    const select = el("select", { id: "tr-data", class: "tm-select", title: "The images that the run learns from", onchange: () => this.#set({ data: select.value }) },
      el("option", { value: TAGGED }, `All tagged images (${formatNumber(setup.tagged)})`),
      this.state.recipe === LOOKS_AT_ALL ? el("option", { value: EVERY }, `All images (${formatNumber(setup.images)})`) : null,
      setup.snapshots.length ? el("optgroup", { label: "Snapshots" }, setup.snapshots.map((one) =>
        el("option", { value: one.digest }, `${one.name} · ${formatNumber(one.count)} · ${moment(one.at)}`))) : null);
    select.value = this.data;
    const accepted = setup.accepted + setup.fixed;
    return el("section", {},
      el("label", { class: "tr-field wide", for: "tr-data" }, el("span", {}, lookingWith(setup, this.state.recipe) !== null ? "Images" : "Train on"), select),
      el("div", { class: "tr-freeze" },
        el("p", { title: "Candidates whose current decision is accept or fix; one mask an image goes into a snapshot" },
          el("b", { class: "tr-accepted" }, formatNumber(accepted)), accepted === 1 ? " mask accepted" : " masks accepted", setup.fixed ? `, ${formatNumber(setup.fixed)} fixed` : ""),
        this.#freezeButton(accepted)));
  }

  /** A recipe that weighs masks by a policy has use for those that nobody accepted, too. */
  #freezeButton(accepted) {
    const { setup } = this;
    const all = Boolean(setup.recipes[this.state.recipe]?.previews);
    const [ready, title] = all
      ? [setup.candidates, setup.candidates ? "Freeze every image that has a candidate, with its decision and its scores, into a snapshot" : "Make some candidates first"]
      : [accepted, accepted ? "Freeze the accepted masks into a snapshot that runs can train on" : "Accept some candidates in Curate first"];
    return el("button", { type: "button", class: "tm-button small tr-freeze-go", disabled: !ready || setup.read_only, title: barred("trainer") || title, onclick: () => this.#freeze(all) }, all ? "Freeze all candidates" : "Freeze accepted set");
  }

  #recipes() {
    const { setup } = this;
    const select = el("select", { id: "tr-recipe", class: "tm-select", onchange: () => { this.#set({ recipe: select.value }); this.body.scrollTop = 0; } },
      Object.entries(setup.recipes).map(([name, about]) => el("option", { value: name }, about.title)));
    select.value = this.state.recipe;
    const { presets } = this.recipe;
    return el("section", {},
      el("label", { class: "tr-field wide", for: "tr-recipe" }, el("span", {}, "Recipe"), select),
      el("p", { class: "tr-summary" }, this.recipe.summary),
      presets.length > 1 ? el("div", { class: "tr-field wide", role: "group", "aria-label": "Preset" }, el("span", {}, "Preset"),
        el("div", { class: "tr-segments" }, presets.map((name) =>
          el("button", { type: "button", "aria-pressed": String(name === this.preset), title: PRESET_TITLES[name] ?? name, dataset: { preset: name }, onclick: () => this.#set({ preset: { ...this.state.preset, [this.state.recipe]: name } }) }, name)))) : null);
  }

  #options(open) {
    const all = this.recipe.options;
    const order = this.order().options;
    const value = (name) => order[name] ?? presetValue(all.find((option) => option.name === name) ?? {}, this.preset);
    const shown = (option) => field(option, {
      preset: this.preset, value: (lookingWith(this.setup, this.state.recipe) !== null && option.name === "weights") || ["from_", "scores", "begin_with", "scorer"].includes(option.name) ? order[option.name] : this.options[option.name],
      setup: this.setup, recipe: this.state.recipe, backbone: value("backbone"),
      disabled: option.name === "epochs" && Number(value("steps")) > 0,
      hint: option.name === "begin_with" ? this.#begins() : undefined,
      change: (entered) => this.#enter(option, entered),
    });
    const first = firstOf(this.state.recipe).map((name) => all.find((option) => option.name === name)).filter(Boolean);
    const rest = all.filter((option) => !first.includes(option));
    const changed = rest.filter((option) => this.options[option.name] !== undefined).length;
    return el("section", {},
      el("div", { class: "tr-fields" }, first.map((option) => [shown(option), option.name === "keep" ? this.#curatesTau(value("by"), value("tau")) : null])),
      rest.length ? el("details", { class: "tr-more", open },
        el("summary", {}, `All options (${rest.length})`, el("span", { class: "tm-badge tr-changed", hidden: !changed }, `${changed} changed`)),
        el("div", { class: "tr-fields" }, rest.map(shown))) : null,
      el("button", { type: "button", class: "tm-button quiet small tr-reset", hidden: !Object.keys(this.options).length, onclick: () => this.#set({ options: { ...this.state.options, [this.state.recipe]: {} } }) }, "Reset to the preset"));
  }

  /** The line of the histogram in Curate, where it stands elsewhere than this form's tau; never taken unasked. */
  #curatesTau(by, tau) {
    const curate = readTau();
    const { choices } = this.recipe.options.find((one) => one.name === "by") ?? {};
    if (curate.tau === null || !choices?.includes(curate.by)) return null;
    if (curate.by === by && Number(tau) === curate.tau && !Number(this.options.keep)) return null;
    const use = () => this.#set({ options: { ...this.state.options, [this.state.recipe]: { ...this.options, by: curate.by, tau: curate.tau, keep: undefined } } });
    return el("p", { class: "tr-curate-tau" }, `Curate's line stands at ${curate.tau.toFixed(2)} of ${curate.by}.`,
      el("button", { type: "button", class: "tm-button quiet small", title: "Take it as tau, and its score; a number of masks to keep is taken back", onclick: use }, "Use it"));
  }

  #enter(option, entered) {
    const options = { ...this.options };
    if (entered === undefined) delete options[option.name];
    else options[option.name] = entered;
    const change = { options: { ...this.state.options, [this.state.recipe]: options } };
    // What is typed is told when the field is left: fields made anew then would lose the next one's focus and its first keys.
    const chosen = option.type === "flag" || option.choices?.length || CHOSEN.includes(option.name);
    if (chosen) return this.#set(change);
    this.#keep(change);
    this.#mark(option.name);
    this.#preview();
  }

  /** Shows what a typed value changes elsewhere in the form. */
  #mark(name) {
    const field = (option) => document.getElementById(`tr-${this.state.recipe}-${option}`);
    field(name)?.closest(".tr-field")?.classList.toggle("changed", this.options[name] !== undefined);
    const steps = this.recipe.options.find((option) => option.name === "steps");
    if (steps && field("epochs")) field("epochs").disabled = Number(this.options.steps ?? presetValue(steps, this.preset)) > 0;
    const hint = this.body.querySelector(".tr-hint");
    if (hint) Object.assign(hint, { hidden: !this.#begins(), textContent: this.#begins() });
    const first = firstOf(this.state.recipe);
    const changed = Object.keys(this.options).filter((option) => !first.includes(option)).length;
    const badge = this.body.querySelector(".tr-changed");
    if (badge) Object.assign(badge, { hidden: !changed, textContent: `${changed} changed` });
    this.body.querySelector(".tr-reset").hidden = !Object.keys(this.options).length;
  }

  #set(change) {
    this.#keep(change);
    this.#render();
  }

  #keep(change) {
    Object.assign(this.state, change);
    this.#forget();
    try {
      localStorage.setItem(this.storage, JSON.stringify(this.state));
    } catch { /* A full or forbidden storage costs only that the form is not remembered. */ }
  }

  /** The next press is a new order. */
  #forget() {
    this.key = null;
    this.queued = { at: 0, job: null };
  }

  #kept() {
    try {
      return JSON.parse(localStorage.getItem(this.storage)) ?? {};
    } catch {
      return {};
    }
  }

  async #preview() {
    // Only the last order counts.
    this.checking?.abort();
    const { signal } = (this.checking = new AbortController());
    const why = barred("trainer");
    this.train.title = why;
    if (why) {
      // The server answers this to a trainer only.
      this.rules.node.hidden = true;
      this.command.textContent = why;
      this.copy.hidden = this.train.disabled = true;
      return;
    }
    this.rules.ask(this.recipe, this.order(), this.setup, this.data === TAGGED);
    // A refusal is not shown as if it were of the order as it is now.
    if (this.command.classList.contains("bad")) this.command.textContent = "Checking …";
    this.command.classList.remove("bad");
    try {
      const { command } = await getJSON("train/command", { order: JSON.stringify(this.order()) }, { signal });
      if (signal.aborted) return;
      this.command.textContent = command;
      this.command.classList.remove("bad");
      this.copy.hidden = false;
      this.train.disabled = this.setup.read_only;
    } catch (error) {
      if (signal.aborted) return;
      this.command.textContent = inForm(error.message, this.recipe, this.setup.recipes);
      this.command.classList.add("bad");
      this.copy.hidden = true;
      this.train.disabled = true;
    }
  }

  async #submit() {
    if (this.train.disabled) return;
    // The key makes a press whose answer was lost the same job when pressed again.
    if (this.queued.job !== null && Date.now() - this.queued.at > AGAIN) this.#forget();
    this.key ??= crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    this.train.disabled = true;
    try {
      const { job } = await api("train/submit", { ...this.order(), key: this.key });
      if (job === this.queued.job) toast(`This order is queued already, as job ${job}. It can be queued once more in a moment.`, "good");
      else this.queued = { at: Date.now(), job };
      this.onQueued(job);
    } catch (error) {
      toast(inForm(error.message, this.recipe, this.setup.recipes), "bad");
    } finally {
      this.train.disabled = this.setup.read_only;
    }
  }

  async #freeze(all) {
    const called = all ? "Candidates" : "Accepted";
    const number = this.setup.snapshots.filter((one) => one.name.startsWith(called)).length + 1;
    try {
      const frozen = await api("train/freeze", { name: `${called} ${number}`, reviewer: reviewer(), with_undecided: all });
      toast(frozen.new ? `Frozen as “${frozen.name}”: ${formatNumber(frozen.count)} ${frozen.count === 1 ? "image" : "images"}.` : `The same set is frozen already as “${frozen.name}”.`, "good");
      await this.onFrozen();
      this.#set({ data: frozen.digest });
    } catch (error) {
      toast(error.message, "bad");
    }
  }
}

// Options that are chosen from a list, whatever their type.
const CHOSEN = ["weights", "begin_with", "saliency", "affinity", "from_", "scores", "scorer"];

const PRESET_TITLES = {
  paper: "The paper's own numbers: a GPU and hours",
  light: "Photographs in minutes on two processor cores",
  scenes: "Small images such as the sample scenes",
};

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Copies a text, also where the page is served without https. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.", "good");
  } catch {
    const area = el("textarea", { class: "tm-visually-hidden", value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    toast(done ? "Copied." : "The browser does not allow copying; select the text instead.", done ? "good" : "warn");
  }
}
