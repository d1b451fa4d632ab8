// Order and filters of the queue.
import { el } from "../ui.js";

const ORDERS = { score: "Lowest score", best: "Highest score", fine: "Lowest SF", disagreement: "Largest |SC − SF|", tau: "Nearest to tau", newest: "Newest", random: "Random", name: "By name" };
const VERDICTS = { undecided: "Undecided", accept: "Accepted", reject: "Rejected", fix: "Fixed", skip: "Skipped", all: "All" };
const KEPT = "tagmask.curate.filters";

/** {element, update(setup)}; calls onChange({filter: value, ...}) when one is set. Kept per browser tab. */
export function filterBar(onChange, filters) {
  Object.assign(filters, JSON.parse(sessionStorage.getItem(KEPT) ?? "{}"));
  const set = (change) => {
    Object.assign(filters, change);
    sessionStorage.setItem(KEPT, JSON.stringify(filters));
    onChange(change);
  };
  const choice = (name, label, options) => {
    const select = el("select", { class: "tm-select", "aria-label": label, title: label, onchange: () => set({ [name]: select.value || null }) });
    fill(select, options, filters[name]);
    return select;
  };
  const order = choice("order", "Order of the queue", ORDERS);
  order.classList.add("cu-order");
  const verdict = choice("verdict", "Which verdict", VERDICTS);
  const tag = choice("tag", "Which tag", { "": "Any tag" });
  const run = choice("run", "Which run made it", { "": "Any run" });
  const query = el("input", {
    class: "tm-input", type: "search", placeholder: "Image name", "aria-label": "Part of the image's name", value: filters.query ?? "",
    oninput: debounced(() => set({ query: query.value })),
  });
  const bound = (name, label) => {
    const input = el("input", {
      class: "tm-input", type: "number", min: 0, max: 1, step: 0.05, placeholder: label, value: filters[name] ?? "",
      "aria-label": label, title: `${label}, 0 to 1; a higher score means the mask fits its saliency reference better`,
      oninput: debounced(() => set({ [name]: input.value === "" ? null : Number(input.value) })),
    });
    return input;
  };
  const element = el("div", { class: "cu-filters" }, order, verdict, tag, run, query, el("div", { class: "cu-range" }, bound("min_score", "From score"), bound("max_score", "To score")));
  return {
    element,
    update({ classes, runs }) {
      fill(tag, { "": "Any tag", ...Object.fromEntries(classes.map((each) => [each.id, each.name])) }, filters.tag);
      fill(run, { "": "Any run", ...Object.fromEntries(runs.map((each) => [each.id, `${each.name} (run ${each.id})`])) }, filters.run);
    },
  };
}

function fill(select, options, value) {
  // "" first: numeric keys would otherwise come before it.
  const names = Object.keys(options).sort((a, b) => (a === "" ? -1 : b === "" ? 1 : 0));
  select.replaceChildren(...names.map((name) => el("option", { value: name }, options[name])));
  select.value = value ?? "";
}

function debounced(act) {
  let timer = null;
  return () => { clearTimeout(timer); timer = setTimeout(act, 200); };
}
