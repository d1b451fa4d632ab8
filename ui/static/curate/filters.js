// Order and filters of the queue, kept in the address.
import { el, formatNumber } from "../ui.js";
import { readFilters, USUAL, writeFilters } from "./address.js";

const ORDERS = {
  score: "Lowest score", best: "Highest score", fine: "Lowest SF", disagreement: "Largest |SC − SF|", methods: "Methods disagree most", tau: "Nearest to tau",
  rarity: "Rarest class", loss: "Highest last loss", newest: "Newest", random: "Random", name: "By name",
};
const VERDICTS = { undecided: "Undecided", accept: "Accepted", reject: "Rejected", fix: "Fixed", skip: "Skipped", all: "All" };
const MORE = ["reviewer", "assigned", "flagged", "truth", "kept"];

/** {element, update(setup), count(total)}; calls onChange({filter: value, ...}) when one is set or the address changes, `onBatch()` for the whole set. */
export function filterBar({ filters, onChange, onBatch }) {
  const set = (change) => {
    // Whose verdict stands is no question about what nobody decided.
    if (change.reviewer && filters.verdict === "undecided") change.verdict = "all";
    Object.assign(filters, change);
    writeFilters(filters, { step: true });
    show();
    onChange(change);
  };
  const controls = {};
  // What is being typed and not asked for yet.
  const pending = new Map();
  const choice = (name, label, options) => {
    // Chosen by mouse, it would keep the focus, and the next key would choose in it again.
    let pointed = false;
    const select = el("select", { class: "tm-select", "aria-label": label, title: label, onpointerdown: () => { pointed = true; },
      onchange: () => { if (pointed) select.blur(); pointed = false; set({ [name]: valueOf(name, select.value) }); } });
    fill(select, options);
    controls[name] = select;
    return select;
  };
  const typed = (name, props, read) => {
    const settle = () => {
      pending.delete(name);
      set({ [name]: read(input.value) });
    };
    const input = el("input", { class: "tm-input", title: props["aria-label"], ...props, oninput: () => {
      clearTimeout(pending.get(name));
      pending.set(name, setTimeout(settle, 200));
    } });
    controls[name] = input;
    return input;
  };
  const bound = (name, label) => typed(name, { type: "number", min: 0, max: 1, step: 0.05, placeholder: label, "aria-label": label, title: `${label}, 0 to 1; a higher score means the mask fits its saliency reference better` }, (value) => (value === "" ? null : Number(value)));

  const order = choice("order", "Order of the queue", ORDERS);
  const seed = typed("seed", { type: "number", step: 1, "aria-label": "Seed of the random order" }, (value) => Math.trunc(Number(value)) || 0);
  const seeded = el("label", { class: "cu-seed", hidden: true }, el("span", {}, "Seed"), seed);
  const note = el("div", { class: "cu-comparing", role: "status", hidden: true });
  const clear = el("button", { type: "button", class: "tm-button small quiet", title: "Every filter as it came; the order stays", onclick: () => set({ ...USUAL, order: filters.order, seed: filters.seed }) }, "Clear");
  const summary = el("summary", {}, "More filters");
  const more = el("details", { class: "cu-more" }, summary, el("div", {},
    choice("reviewer", "Whose verdict stands", { "": "Any reviewer" }),
    choice("assigned", "Whose share", { "": "Any share", me: "Assigned to me" }),
    choice("flagged", "Flagged or not", { "": "Any flag", yes: "Flagged", no: "Not flagged" }),
    choice("truth", "With a true mask or not", { "": "Any truth", yes: "With true mask", no: "Without" }),
    choice("kept", "Image with a kept mask or not", { "": "Any kept", no: "None kept yet", yes: "One kept" })));
  const total = el("span", { class: "cu-total", role: "status" });
  const batch = el("button", { type: "button", class: "tm-button small", title: "Accept or reject every mask under these filters, after a look at them", onclick: onBatch }, "Decide all…");
  const element = el("div", { class: "cu-filters" }, el("div", { class: "cu-order" }, order, seeded), note,
    choice("verdict", "Which verdict", VERDICTS), choice("tag", "Which tag", { "": "Any tag" }), choice("run", "Which run made it", { "": "Any run" }),
    typed("query", { type: "search", placeholder: "Image name", "aria-label": "Part of the image's name" }, (value) => value),
    el("div", { class: "cu-range" }, bound("min_score", "From score"), bound("max_score", "To score")),
    more, el("div", { class: "cu-view" }, total, clear, batch));

  /** Brings the fields to what the filters say; one that is being typed in is left alone. */
  function show() {
    for (const [name, control] of Object.entries(controls)) {
      const value = String(filters[name] ?? "");
      // What the address names may be known by nobody here: it is shown all the same, not silently dropped.
      if (control.tagName === "SELECT" && ![...control.options].some((option) => option.value === value)) control.append(el("option", { value }, value));
      if (!pending.has(name) && (control !== document.activeElement || control.tagName === "SELECT")) control.value = value;
    }
    seeded.hidden = filters.order !== "random";
    const active = MORE.filter((name) => filters[name] !== null).length;
    summary.textContent = active ? `More filters · ${active} set` : "More filters";
    if (active) more.open = true;
    clear.hidden = Object.keys(USUAL).every((name) => ["order", "seed"].includes(name) || (filters[name] ?? "") === (USUAL[name] ?? ""));
  }

  // The back button, or another link opened in this page.
  const follow = () => {
    for (const timer of pending.values()) clearTimeout(timer);
    pending.clear();
    const named = readFilters();
    if (Object.keys(named).every((name) => named[name] === filters[name])) return;
    Object.assign(filters, named);
    document.activeElement?.blur?.();
    show();
    onChange(named);
  };
  window.addEventListener("popstate", follow);
  window.addEventListener("hashchange", follow);
  show();
  return {
    element, note,
    update({ classes, runs, reviewers, read_only: readOnly }) {
      fill(controls.tag, { "": "Any tag", ...Object.fromEntries(classes.map((each) => [each.id, each.name])) });
      fill(controls.run, { "": "Any run", ...Object.fromEntries(runs.map((each) => [each.id, `${each.name} (run ${each.id})`])) });
      fill(controls.reviewer, { "": "Any reviewer", ...Object.fromEntries(reviewers.map((name) => [name, `Decided by ${name}`])) });
      batch.hidden = readOnly;
      writeFilters(filters);
      show();
    },
    count(number) {
      total.textContent = `${formatNumber(number)} in this view`;
      batch.disabled = !number;
    },
  };
}

function valueOf(name, said) {
  if (said === "") return null;
  return name === "tag" || name === "run" ? Number(said) : said;
}

function fill(select, options) {
  // "" first: numeric keys would otherwise come before it.
  const names = Object.keys(options).sort((a, b) => (a === "" ? -1 : b === "" ? 1 : 0));
  select.replaceChildren(...names.map((name) => el("option", { value: name }, options[name])));
}
