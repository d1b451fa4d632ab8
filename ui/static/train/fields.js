// The options of a recipe as fields, made from what the trainer describes.
import { el } from "../ui.js";
import { optionLabel } from "./words.js";

const FIRST = ["from_", "method", "backbone", "device", "weights", "epochs", "seed"];
const FIRST_OF_PIPELINE = ["method", "backbone", "saliency", "weights", "set_", "device", "seed"];
const FIRST_OF_LABELS = ["weights", "fusion", "crf", "saliency", "device", "seed"];
const FIRST_OF_SAL = ["from_", "scores", "policy", "by", "tau", "keep", "backbone", "device", "begin_with", "weights", "epochs", "seed"];
const FIRST_OF_SCORE = ["from_", "scorer", "saliency", "crf", "device", "seed"];
const FIRST_OF_SCORER = ["from_", "saliency", "crf", "epochs", "device", "seed"];
const FIRST_OF_SUGGEST = ["weights", "scales", "flip", "device"];
const FIRST_OF_LOSSES = ["weights", "from_", "device"];
// These look through the eyes of a trained network instead of training one.
const LOOKING = ["labels", "suggest", "losses"];
const WIDE = ["weights", "begin_with", "saliency", "from_", "affinity", "set_", "scores", "scorer"];
// What is given with --from are label maps, whatever network made them.
const FROM_LABELS = ["score", "scorer"];
const OF_SEVERAL = "scorer";
// The kind of run that a recipe may go on from; others say so themselves (stands_on), or take any
// run with attention maps.
const GOES_ON_FROM = { dcsp: "dcsp" };
const FILE = "file:";

/** Names of the options that a person sees first; every other one is under "All options". */
export function firstOf(recipe) {
  return { labels: FIRST_OF_LABELS, pipeline: FIRST_OF_PIPELINE, sal: FIRST_OF_SAL, score: FIRST_OF_SCORE, scorer: FIRST_OF_SCORER, suggest: FIRST_OF_SUGGEST, losses: FIRST_OF_LOSSES }[recipe] ?? FIRST;
}

/** The network that looks where nobody chose one: trained here and the newest, else shipped; null where the recipe trains its own. */
export function lookingWith(setup, recipe) {
  if (!LOOKING.includes(recipe)) return null;
  if (recipe === "losses") return setup.segmenters[0]?.id ?? "";
  return setup.weights.findLast((one) => one.id.startsWith("run:"))?.id ?? setup.weights[0]?.id ?? "";
}

/** The preset's own value of an option. */
export function presetValue(option, preset) {
  const values = option.default ?? {};
  return values[preset] ?? values.paper ?? Object.values(values)[0] ?? "";
}

/**
 * One option as a labelled field. `value` is what was entered, undefined for the preset's own;
 * `change(value)` hears of a new one, undefined when it is the preset's own again; `hint` stands below.
 */
export function field(option, { preset, value, setup, recipe, backbone, disabled, hint, change }) {
  const own = presetValue(option, preset);
  const now = value === undefined ? own : value;
  const tell = (entered) => change(String(entered) === String(own) ? undefined : entered);
  const title = [option.help, option.section && `[${option.section}]`, `${option.flag}, preset: ${shown(own)}`].filter(Boolean).join("\n");
  const common = { id: `tr-${recipe}-${option.name}`, disabled, title, dataset: { option: option.name } };
  // What a run is learnt from is filled in where nobody chose one.
  const changed = value !== undefined && String(value) !== String(own);
  if (option.type === "flag") {
    const box = el("input", { ...common, type: "checkbox", checked: Boolean(now), onchange: () => tell(box.checked) });
    return el("label", { class: `tr-field tr-check${changed ? " changed" : ""}`, title }, box, optionLabel(option.name));
  }
  const control = option.name === "weights"
    ? weightsControl({ common, now, setup, recipe, backbone, tell })
    : option.name === "from_" && recipe === OF_SEVERAL
    ? several(common, setup.labelled, now, change)
    : option.name === "scores"
    ? chooser(common, [["", "Those beside the masks"], ...setup.scored.map(({ id, title }) => [id, title])], now, change)
    : option.name === "begin_with"
    ? chooser(common, [["", "Nothing: from the trunk's weights"], ...setup.segmenters.filter((one) => one.backbone === backbone).map(({ id, title }) => [id, title])], now, change)
    : option.name === "scorer"
    ? chooser(common, [["", setup.scorers.length ? "None: coarse scores alone" : "None yet: coarse scores alone"], ...setup.scorers.map(({ id, title }) => [id, title])], now, change)
    : option.name === "from_"
    ? chooser(common, earlierRuns(setup, recipe), now, change)
    : option.name === "affinity"
    ? chooser(common, affinities(setup), now, tell)
    : option.name === "saliency"
    ? chooser(common, setup.saliency.map((name) => [name, name]), now, tell)
    : option.choices?.length
      ? chooser(common, option.choices.map((choice) => [choice, choice]), now, tell)
      : entry(common, option, now, tell);
  if (control.tagName === "DIV") return el("div", { class: "tr-field wide", title }, el("span", {}, optionLabel(option.name)), control);
  return el("label", { class: `tr-field${WIDE.includes(option.name) ? " wide" : ""}${changed ? " changed" : ""}`, for: common.id, title },
    el("span", {}, optionLabel(option.name)), control, hint === undefined ? null : el("small", { class: "tr-hint tm-faint", hidden: !hint }, hint));
}

function entry(common, option, now, tell) {
  const number = option.type === "int" || option.type === "float";
  return el("input", {
    ...common, class: "tm-input", value: shown(now), placeholder: option.name === "set_" ? "segmenter.epochs=10" : null, inputmode: number ? "decimal" : null, autocomplete: "off", spellcheck: "false",
    onchange: (event) => tell(event.target.value.trim()),
  });
}

function chooser(common, pairs, now, tell) {
  // What was chosen once and is listed no more stays to be seen: the server says why it cannot be had.
  const listed = now === "" || pairs.some(([value]) => value === String(now));
  const all = listed ? pairs : [...pairs, [now, `${now}: not here`]];
  const select = el("select", { ...common, class: "tm-select", onchange: () => tell(select.value) },
    all.map(([value, text]) => el("option", { value }, text)));
  select.value = now;
  return select;
}

/** Several of the runs that made labels, as boxes; the value is their ids with commas between. */
function several(common, runs, now, change) {
  const { id, ...others } = common;
  const chosen = new Set(String(now).split(",").filter(Boolean));
  const tell = () => change(runs.map((one) => one.id).filter((each) => chosen.has(each)).join(","));
  return el("div", { class: "tr-several", role: "group", id, ...others },
    runs.length ? runs.map((one) => {
      const box = el("input", { type: "checkbox", checked: chosen.has(one.id), onchange: () => { chosen[box.checked ? "add" : "delete"](one.id); tell(); } });
      return el("label", { class: "tr-check" }, box, el("span", {}, one.title));
    }) : el("p", { class: "tm-faint" }, "No finished run made label maps yet."));
}

/** The affinity weights by which maps can walk. */
function affinities(setup) {
  const known = setup.affinities ?? [];
  return [["", known.length ? "None" : "No finished run of affinity yet"], ...known.map(({ id, title }) => [id, title])];
}

/** The runs that a recipe can learn from; of those that learn from masks, a snapshot's own first. */
export function earlierRuns(setup, recipe) {
  if (FROM_LABELS.includes(recipe)) return [["", setup.labelled.length ? "Choose a run" : "No finished run made label maps yet"], ...setup.labelled.map(({ id, title }) => [id, title])];
  if (learnsMasks(setup, recipe)) return [["", "The snapshot's own masks"], ...setup.labelled.map(({ id, title }) => [id, title])];
  const kind = setup.recipes[recipe]?.stands_on || GOES_ON_FROM[recipe];
  const runs = setup.weights.filter((one) => one.id.startsWith("run:") && (!kind || one.kind === kind));
  if (canBegin(setup, recipe)) return [["", "None: begin at the beginning"], ...runs.map(({ id, title }) => [id, title])];
  return [["", runs.length ? "Choose a run" : `No finished run ${kind ? `of ${kind.toUpperCase()}` : "with attention maps"} yet`], ...runs.map(({ id, title }) => [id, title])];
}

/** The run to learn from where none was chosen: the newest, but a snapshot has masks of its own. */
export function earlierRun(setup, recipe, isSnapshot) {
  if (canBegin(setup, recipe)) return "";
  return learnsMasks(setup, recipe) && isSnapshot ? "" : earlierRuns(setup, recipe)[1]?.[0] ?? "";
}

/** The mask scorer where none was chosen: the newest that was trained here, else a shipped one. */
export function newestScorer(setup) {
  return (setup.scorers.find((one) => one.id.startsWith("run:")) ?? setup.scorers[0])?.id ?? "";
}

/** Whether a recipe may go on from a run and needs none. */
function canBegin(setup, recipe) {
  const takes = setup.recipes[recipe]?.takes ?? [];
  return !takes.includes("runs") && !takes.includes("masks");
}

function learnsMasks(setup, recipe) {
  return Boolean(setup.recipes[recipe]?.takes?.includes("masks"));
}

/** Trained weights for candidates; for training, what the trunk begins with. */
function weightsControl({ common, now, setup, recipe, backbone, tell }) {
  const making = LOOKING.includes(recipe);
  const trained = recipe === "losses" ? setup.segmenters : setup.weights.filter((one) => making || one.backbone === backbone);
  // Any file may hold a trunk, whatever it is called; those named like the backbone come first.
  const fits = (name) => name.startsWith(String(backbone));
  const files = making ? setup.files.filter((name) => name.endsWith(".safetensors")) : setup.files.toSorted((one, other) => fits(other) - fits(one));
  const pairs = making
    ? trained.map((one) => [one.id, one.title])
    : [["", "Whatever fits the backbone"], ["none", "None: begin at random"], ...trained.map((one) => [one.id, `From ${one.title}`])];
  pairs.push(...files.map((name) => [FILE + name, `The file ${name}`]));
  if (!pairs.length) pairs.push(["", "No trained weights yet"]);
  return chooser(common, pairs, now, tell);
}

function shown(value) {
  if (value === true) return "yes";
  if (value === false) return "no";
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  return String(value ?? "");
}
