// The candidates in review order: pages from the server as they are needed, and where we stand.
import { getJSON } from "../ui.js";
import { asked, readFilters } from "./address.js";

const PAGE = 50;
const AHEAD = 10;

export class Queue {
  constructor(onChange) {
    this.onChange = onChange;
    this.filters = { by: "SF", tau: 0.55, ...readFilters() };
    this.rows = [];
    this.total = 0;
    this.left = 0;
    this.at = 0;
    this.chosen = null;
    this.loading = null;
    this.generation = 0;
  }

  /** What is looked at: the row where we stand, or another mask of the same image that was chosen in its place. */
  get current() {
    return this.chosen ?? this.rows[this.at] ?? null;
  }

  get upcoming() {
    return this.rows.slice(this.at + 1, this.at + 6);
  }

  /** Starts over under new filters; stays on the candidate `keep` where it still matches. */
  async restart(filters, keep = null) {
    Object.assign(this.filters, filters);
    const generation = ++this.generation;
    const page = await this.#page(0);
    if (generation !== this.generation) return;
    this.rows = page.rows;
    this.total = this.left = page.total;
    this.complete = page.rows.length < PAGE;
    this.chosen = null;
    this.at = Math.max(0, this.rows.findIndex((row) => row.id === keep));
    this.onChange();
  }

  /** Goes to the row at an index, fetching more when the end is near; false at either end. */
  async go(index) {
    if (index < 0) return false;
    if (index >= this.rows.length && !this.complete) await this.#more();
    if (index > this.rows.length || (index === this.rows.length && !this.#passable())) return false;
    this.at = index;
    this.chosen = null;
    this.onChange();
    if (this.rows.length - index < AHEAD) this.#more();
    if (index === this.rows.length) this.#again();
    return true;
  }

  /** Looks at another mask of the same image without leaving the place in the queue. */
  choose(row) {
    const known = this.rows.find((each) => each.id === row.id) ?? row;
    this.chosen = known === this.rows[this.at] ? null : known;
    this.onChange();
  }

  /** Takes the server's word of a row, after an undo, and goes to it; one that is not known is put where we stand. */
  bring(row) {
    const known = this.rows.findIndex((each) => each.id === row.id);
    if (known >= 0) this.rows[known] = { ...row, why: this.rows[known].why, brought: this.rows[known].brought };
    this.open(row);
  }

  /** Goes to a row that was read elsewhere. What the queue has of it stays: it knows of decisions made since. */
  open(row) {
    const known = this.rows.findIndex((each) => each.id === row.id);
    if (known >= 0) this.at = known;
    else this.rows.splice(this.at, 0, { ...row, brought: true });
    this.chosen = null;
    this.onChange();
  }

  /** Keeps count of a verdict that was given or taken back, and drops what it takes out of the view. */
  decided(row, verdict) {
    const before = this.#matches(row);
    row.verdict = verdict;
    this.left += Number(this.#matches(row)) - Number(before);
    if (this.filters.kept !== "no" || !["accept", "fix"].includes(verdict)) return;
    const others = (each, i) => i > this.at && each.image_id === row.image_id && each.id !== row.id && each.verdict === "undecided";
    this.left -= this.rows.filter(others).length;
    this.rows = this.rows.filter((each, i) => !others(each, i));
  }

  /** An image was flagged or is no longer: so are all its rows here. */
  flagged(row, flagged) {
    const before = this.#matches(row);
    for (const each of [row, ...this.rows]) if (each.image_id === row.image_id) each.flagged = flagged;
    this.left += Number(this.#matches(row)) - Number(before);
  }

  /** A person drew a mask of the image: every row of it here knows. */
  fixed(row) {
    for (const each of this.rows) if (each.image_id === row.image_id) each.fixed_id = row.id;
    if (this.filters.kept === "no") this.rows = this.rows.filter((each, i) => i <= this.at || each.image_id !== row.image_id);
  }

  /** Does a row still belong into the view, as far as a decision or a flag can change it? */
  #matches(row) {
    const { verdict, flagged, kept } = this.filters;
    if (verdict !== "all" && row.verdict !== verdict) return false;
    if (flagged !== null && row.flagged !== (flagged === "yes")) return false;
    return kept !== "no" || (!["accept", "fix"].includes(row.verdict) && row.fixed_id === null);
  }

  // One past the last row is the "all done" place, reached by deciding, not by the arrow keys.
  #passable() {
    return this.rows.length > 0 && this.rows.every((row) => this.filters.verdict === "all" || row.verdict !== this.filters.verdict);
  }

  #more() {
    if (this.complete) return null;
    const generation = this.generation;
    this.loading ??= (async () => {
      // Rows decided since they were loaded no longer match, so the next page begins that much earlier.
      // One that was brought here may have its place behind that: counted, it would push another out.
      const matching = this.rows.filter((row) => !row.brought && this.#matches(row)).length;
      const page = await this.#page(matching);
      if (generation !== this.generation) return;
      const known = new Map(this.rows.map((row) => [row.id, row]));
      for (const row of page.rows) if (known.has(row.id)) known.get(row.id).brought = false;
      this.rows.push(...page.rows.filter((row) => !known.has(row.id)));
      this.total = page.total;
      this.complete = page.rows.length < PAGE;
      this.onChange();
    })().finally(() => { this.loading = null; });
    return this.loading;
  }

  /** At the end: others decide as well, and what they moved may have slipped between two pages. */
  async #again() {
    const generation = this.generation;
    const page = await this.#page(0).catch(() => null);
    if (!page || generation !== this.generation) return;
    const known = new Set(this.rows.map((row) => row.id));
    const fresh = page.rows.filter((row) => !known.has(row.id));
    if (!fresh.length) return;
    this.rows.push(...fresh);
    this.left = page.total;
    this.complete = page.rows.length < PAGE;
    this.onChange();
  }

  #page(offset) {
    const { order, seed, by, tau } = this.filters;
    return getJSON("curate/queue", { ...asked(this.filters), order, seed, by, tau, offset, limit: PAGE });
  }
}
