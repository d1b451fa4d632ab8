// The candidates in review order: pages from the server as they are needed, and where we stand.
import { getJSON } from "../ui.js";

const PAGE = 50;
const AHEAD = 10;

export class Queue {
  constructor(onChange) {
    this.onChange = onChange;
    this.filters = { order: "score", seed: 1, by: "SF", tau: 0.55, verdict: "undecided", tag: null, run: null, min_score: null, max_score: null, query: "" };
    this.rows = [];
    this.total = 0;
    this.at = 0;
    this.loading = null;
    this.generation = 0;
  }

  get current() {
    return this.rows[this.at] ?? null;
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
    this.total = page.total;
    this.complete = page.rows.length < PAGE;
    this.at = Math.max(0, this.rows.findIndex((row) => row.id === keep));
    this.onChange();
  }

  /** Goes to the row at an index, fetching more when the end is near; false at either end. */
  async go(index) {
    if (index < 0) return false;
    if (index >= this.rows.length && !this.complete) await this.#more();
    if (index > this.rows.length || (index === this.rows.length && !this.#passable())) return false;
    this.at = index;
    this.onChange();
    if (this.rows.length - index < AHEAD) this.#more();
    return true;
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
    this.onChange();
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
      const { verdict } = this.filters;
      // One that was brought here may have its place behind that: counted, it would push another out.
      const matching = this.rows.filter((row) => !row.brought && (verdict === "all" || row.verdict === verdict)).length;
      const page = await this.#page(matching);
      if (generation !== this.generation) return;
      const known = new Map(this.rows.map((row) => [row.id, row]));
      for (const row of page.rows) if (known.has(row.id)) known.get(row.id).brought = false;
      this.rows.push(...page.rows.filter((row) => !known.has(row.id)));
      this.complete = page.rows.length < PAGE;
      this.onChange();
    })().finally(() => { this.loading = null; });
    return this.loading;
  }

  #page(offset) {
    return getJSON("curate/queue", { ...this.filters, offset, limit: PAGE });
  }
}
