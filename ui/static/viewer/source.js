// Which weights make the maps of a side, and by which method.
import { el } from "../ui.js";

const ABOUT_WEIGHTS = "The network that makes the attention maps";
const ABOUT_METHOD = "How attention is read out of the network; the first is what these weights were trained for";

/** The pickers of one side. `methods` are the server's; `onChange()` is told of a person's choice. */
export class Source {
  constructor(letter, { methods, onChange }) {
    Object.assign(this, { letter, methods });
    this.choices = [];
    this.id = null;
    this.chosen = "";
    // Whether somebody chose, here or by the address.
    this.touched = false;
    const of = letter === "A" ? "" : ` of ${letter}`;
    this.weights = el("select", { class: "tm-select", "aria-label": `Weights${of}`, title: ABOUT_WEIGHTS, onchange: () => { Object.assign(this, { id: this.weights.value, chosen: "", touched: true }); this.#render(); onChange(); } });
    this.picker = el("select", { class: "tm-select", "aria-label": `Method${of}`, title: ABOUT_METHOD, onchange: () => { Object.assign(this, { chosen: this.picker.value, touched: true }); this.#render(); onChange(); } });
    this.badge = el("span", { class: "tmv-badge", dataset: { side: letter }, hidden: true, title: `Side ${letter} of the comparison` }, letter);
    this.detail = el("p", { class: "tmv-detail" });
    this.root = el("div", { class: "tmv-source" }, this.badge, el("div", { class: "tmv-source-fields" }, this.weights, this.picker), this.detail);
  }

  /** Lists what there is; the choice stays where it still exists. */
  list(choices) {
    this.choices = choices;
    const group = (label, kind) => {
      const members = choices.filter(({ id }) => id.startsWith(kind));
      return members.length ? el("optgroup", { label }, members.map(({ id, title, absent }) => el("option", { value: id, disabled: Boolean(absent), title: absent }, absent ? `${bare(title)}: file missing` : bare(title)))) : null;
    };
    this.weights.replaceChildren(...[group("Shipped", "shipped:"), group("Trained here", "run:"), group("ImageNet", "torchvision:")].filter(Boolean));
    if (!this.#usable(this.id)) this.id = choices.find(({ absent }) => !absent)?.id ?? null;
    this.weights.disabled = this.id === null;
    this.#render();
  }

  /** Chooses weights and a method ("" is the weights' own); null, or a sentence where that cannot be had. */
  choose(id, method = "") {
    const choice = this.choices.find((each) => each.id === id);
    if (!choice) return `There are no weights '${id.slice(0, 80)}' here; others were chosen.`;
    if (choice.absent) return choice.absent;
    this.id = id;
    this.touched = true;
    this.chosen = choice.methods.includes(method) ? method : "";
    this.#render();
    return method && !choice.methods.includes(method) ? `The method '${method.slice(0, 40)}' does not fit ${choice.title}; ${this.method?.title ?? "another"} was chosen.` : null;
  }

  /** The chosen weights, or undefined where there are none. */
  get choice() {
    return this.choices.find(({ id }) => id === this.id);
  }

  /** The chosen method as the server describes it, or undefined where there are no weights. */
  get method() {
    const name = this.chosen || this.choice?.methods[0];
    return this.methods.find((each) => each.name === name);
  }

  /** Is the same asked of the same network as on the other side? */
  equals(other) {
    return this.id === other.id && this.method?.name === other.method?.name;
  }

  /** Weights and a method that differ from this side's: what a comparison begins with. */
  other() {
    const { choice, method } = this;
    const next = choice.methods.find((name) => name !== method.name);
    if (next) return [choice.id, next];
    return [this.choices.find(({ id, absent }) => id !== choice.id && !absent)?.id ?? choice.id, ""];
  }

  #usable(id) {
    return this.choices.some((choice) => choice.id === id && !choice.absent);
  }

  #render() {
    const { choice, method } = this;
    this.picker.disabled = !choice || choice.methods.length < 2;
    if (!choice) {
      this.picker.replaceChildren(el("option", {}, "no method"));
      this.detail.textContent = "There are no weights here yet. Train some in the Train tab.";
      return;
    }
    this.weights.value = choice.id;
    this.picker.replaceChildren(...choice.methods.map((name) => el("option", { value: name }, this.methods.find((each) => each.name === name)?.title ?? name)));
    this.picker.value = method?.name ?? choice.methods[0];
    this.detail.textContent = `${method?.about ?? ""}.`.replace(/^\.|\.\.$/, "");
    const origin = Object.entries(choice.origin).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
    const knows = choice.vocabulary === "imagenet" ? "ImageNet's 1,000 classes" : choice.classes.join(", ");
    this.weights.title = [ABOUT_WEIGHTS, choice.detail, choice.digest ? `sha256 ${choice.digest.slice(0, 16)}…` : null, `knows ${knows}`, ...origin].filter(Boolean).join("\n");
  }
}

/** The group says already that weights are ImageNet's. */
function bare(title) {
  return title.replace(/ \(ImageNet\)$/, "");
}

/** The section with the pickers of both sides, and what cannot be chosen, and why. */
export class SourceSection {
  constructor(sources) {
    this.sources = sources;
    this.problems = el("p", { class: "tmv-detail tmv-warning", hidden: true });
    this.absent = el("details", { class: "tmv-details tmv-absent", hidden: true });
    this.root = el("section", { class: "tmv-section tmv-weights", "aria-label": "Weights and method" },
      el("h3", { title: `${ABOUT_WEIGHTS}, and how` }, "Weights and method"), sources.map(({ root }) => root), this.absent, this.problems);
    this.compare(false);
  }

  /** Lists the weights there are; `problems` are sentences about those that cannot be read. */
  list(choices, problems) {
    for (const source of this.sources) source.list(choices);
    const absent = choices.filter((choice) => choice.absent);
    this.absent.hidden = !absent.length;
    this.absent.replaceChildren(
      el("summary", { title: "Weights that could be used if their file were on this machine" }, `${absent.length} more need a file`),
      el("ul", {}, absent.map((choice) => el("li", {}, choice.absent))));
    this.problems.hidden = !problems.length;
    this.problems.textContent = problems.join(" ");
  }

  /** Shows the pickers of both sides, or of A alone. */
  compare(on) {
    const [a, b] = this.sources;
    a.badge.hidden = !on;
    b.badge.hidden = !on;
    b.root.hidden = !on;
    this.root.classList.toggle("compare", on);
  }
}
