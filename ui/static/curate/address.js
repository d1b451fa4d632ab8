// The queue's order and filters as the address says them, so that a view can be bookmarked and shared: #tab=curate&verdict=accept&tag=3.
import { reviewer, tabVisible } from "../ui.js";

// Name in the address -> field of the filters. What has its usual value is not named.
const FIELDS = {
  order: "order", seed: "seed", verdict: "verdict", tag: "tag", run: "run", from: "min_score", to: "max_score", name: "query",
  reviewer: "reviewer", flagged: "flagged", truth: "truth", kept: "kept", assigned: "assigned",
};
const NUMBERS = new Set(["seed", "tag", "run", "min_score", "max_score"]);
export const USUAL = {
  order: "score", seed: 1, verdict: "undecided", tag: null, run: null, min_score: null, max_score: null, query: "",
  reviewer: null, flagged: null, truth: null, kept: null, assigned: null,
};

/** The filters that the address names, the usual ones for the others. */
export function readFilters() {
  const address = new URLSearchParams(location.hash.slice(1));
  const found = { ...USUAL };
  for (const [name, field] of Object.entries(FIELDS)) {
    const said = address.get(name);
    if (said === null || said === "") continue;
    const value = NUMBERS.has(field) ? Number(said) : said;
    if (!Number.isNaN(value)) found[field] = value;
  }
  return found;
}

/** What the server is asked for under these filters: "me" is whoever sits here. */
export function asked({ verdict, tag, run, min_score, max_score, query, reviewer: by, flagged, truth, kept, assigned }) {
  return { verdict, tag, run, min_score, max_score, query, reviewer: by, flagged, truth, kept, assigned: assigned === "me" ? reviewer() : assigned };
}

/** Does anything but verdict and order narrow the queue? */
export function narrowed(filters) {
  return Object.keys(USUAL).some((field) => !["order", "seed", "verdict"].includes(field) && filters[field] !== null && filters[field] !== "");
}

/** Writes the filters into the address; `step` makes a new place for the back button, else this one is rewritten. */
export function writeFilters(filters, { step = false } = {}) {
  if (!tabVisible("curate")) return;
  const address = new URLSearchParams(location.hash.slice(1));
  for (const [name, field] of Object.entries(FIELDS)) {
    const usual = filters[field] === USUAL[field] || filters[field] === "" || filters[field] === null;
    if (usual) address.delete(name);
    else address.set(name, filters[field]);
  }
  address.set("tab", "curate");
  if (`#${address}` === location.hash) return;
  history[step ? "pushState" : "replaceState"](history.state, "", `#${address}`);
}
