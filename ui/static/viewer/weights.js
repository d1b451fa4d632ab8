// Which weights make the maps.
import { el } from "../ui.js";

export class WeightsPicker {
  constructor({ onChange }) {
    this.choices = [];
    this.id = null;
    this.select = el("select", { class: "tm-select", "aria-label": "Weights", title: "The network that makes the attention maps", onchange: () => { this.id = this.select.value; this.#describe(); onChange(); } });
    this.detail = el("p", { class: "tmv-detail" });
    this.problems = el("p", { class: "tmv-detail tmv-warning", hidden: true });
    this.root = el("section", { class: "tmv-section tmv-weights", "aria-label": "Weights" }, el("h3", { title: "The network that makes the attention maps" }, "Weights"), this.select, this.detail, this.problems);
  }

  /** Lists what there is; the choice stays where it still exists. */
  show(choices, problems) {
    this.choices = choices;
    const group = (label, kind) => {
      const members = choices.filter(({ id }) => id.startsWith(kind));
      return members.length ? el("optgroup", { label }, members.map(({ id, title }) => el("option", { value: id }, title))) : null;
    };
    this.select.replaceChildren(...[group("Shipped", "shipped:"), group("Trained here", "run:")].filter(Boolean));
    if (!choices.some(({ id }) => id === this.id)) this.id = choices[0]?.id ?? null;
    this.select.disabled = !choices.length;
    this.problems.hidden = !problems.length;
    this.problems.textContent = problems.join(" ");
    this.#describe();
  }

  /** Chooses weights by id; false where they are not listed. */
  choose(id) {
    const known = this.choices.some((choice) => choice.id === id);
    if (known) this.id = id;
    this.#describe();
    return known;
  }

  /** The class names that the chosen weights know. */
  classes() {
    return this.choices.find(({ id }) => id === this.id)?.classes ?? [];
  }

  #describe() {
    const choice = this.choices.find(({ id }) => id === this.id);
    if (choice) this.select.value = choice.id;
    this.detail.textContent = choice ? choice.detail : "There are no weights here yet. Train some in the Train tab.";
    const origin = choice ? Object.entries(choice.origin).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`) : [];
    this.detail.title = choice ? [`sha256 ${choice.digest.slice(0, 16)}…`, `knows ${choice.classes.join(", ")}`, ...origin].join("\n") : "";
  }
}
