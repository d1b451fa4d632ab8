// What can be listed: all images, those without tags, what the classifier suggests and doubts, what changed; and the classes.
import { barred, el, formatNumber, showTab, toast } from "../ui.js";
import { ClassKeys } from "./classkeys.js";

const SHOWS = [
  ["all", "All images", "Every image of the workspace"],
  ["untagged", "Without tags", "Nobody has said yet what these images show"],
  ["suggested", "Suggested", "The classifier sees a class that is no tag of theirs, the surest first"],
  ["doubted", "Doubted", "The classifier does not see one of their tags, the least likely first"],
  ["changed", "Changed since training", "Their tags are others than those that the latest training saw"],
];

export class Rail {
  /** `onView(change)` hears what to list instead, `onAsk()` that the classifier is to look again, `onClass(name)` of a new class. */
  constructor({ keys, onView, onAsk, onClass, onKeys }) {
    Object.assign(this, { keys, onView, onAsk, onClass, onKeys });
    this.waitingFor = null;
    this.lists = new Map(SHOWS.map(([show, label, title]) => {
      const number = el("b", {});
      const button = el("button", { type: "button", class: "ta-show", title, dataset: { show }, onclick: () => onView({ show }) }, el("span", {}, label), number);
      return [show, { button, number }];
    }));
    this.slider = el("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": "Score", oninput: () => this.#slid(false), onchange: () => this.#slid(true) });
    this.bound = el("span", { class: "ta-bound" });
    this.threshold = el("label", { class: "ta-threshold" }, this.bound, this.slider);
    this.query = el("input", { class: "tm-input", type: "search", placeholder: "Image name", "aria-label": "Part of the image's name", oninput: () => { clearTimeout(this.typing); this.typing = setTimeout(() => onView({ query: this.query.value.trim() }), 200); } });
    this.classes = el("ul", { class: "ta-classes" });
    this.name = el("input", { class: "tm-input", placeholder: "New class", "aria-label": "Name of a new class", maxlength: 64 });
    this.addButton = el("button", { class: "tm-button", type: "submit" }, "Add");
    this.asked = el("p", { class: "ta-note" });
    this.askButton = el("button", { type: "button", class: "tm-button small", onclick: () => onAsk() }, "Ask the classifier…");
    this.progress = el("div", { class: "ta-progress", hidden: true, role: "status" });
    this.since = el("p", { class: "ta-note" });
    this.again = el("button", { type: "button", class: "tm-button small", onclick: () => showTab("train"), title: "The Train tab: a run over the tags as they are now" }, "Train again…");
    this.node = el("aside", { class: "ta-rail", "aria-label": "What is listed" },
      el("section", {}, el("h3", {}, "Show"), [...this.lists.values()].map(({ button }) => button), this.threshold),
      el("section", {}, this.query),
      el("section", { class: "ta-class-part" }, el("h3", {}, "Classes", el("span", { class: "tm-faint" }, "key gives, Shift takes")), this.classes,
        el("form", { class: "ta-row", onsubmit: (event) => { event.preventDefault(); this.#add(); } }, this.name, this.addButton)),
      el("section", {}, el("h3", {}, "Classifier"), this.asked, this.progress, this.askButton),
      el("section", {}, el("h3", {}, "For the next training"), this.since, this.again));
    document.addEventListener("keydown", (event) => this.#remapped(event), true);
  }

  #slid(done) {
    const value = Number(this.slider.value);
    const name = this.view.show === "doubted" ? "most" : "least";
    this.#bound(name, value);
    if (done) this.onView({ [name]: value });
  }

  #bound(name, value) {
    this.bound.textContent = name === "most" ? `sure of it at most ${Math.round(100 * value)} %` : `sure of it at least ${Math.round(100 * value)} %`;
  }

  async #add() {
    const name = this.name.value.trim();
    if (name && await this.onClass(name)) this.name.value = "";
  }

  update(setup, view) {
    this.view = view;
    this.setup = setup;
    for (const [show, { button, number }] of this.lists) {
      number.textContent = formatNumber(setup.counts[show]);
      button.setAttribute("aria-pressed", String(view.show === show));
      button.disabled = ["suggested", "doubted"].includes(show) && !setup.suggestions.images && view.show !== show;
    }
    this.threshold.hidden = !["suggested", "doubted"].includes(view.show);
    const name = view.show === "doubted" ? "most" : "least";
    this.slider.value = view[name];
    this.#bound(name, view[name]);
    if (document.activeElement !== this.query) this.query.value = view.query;
    this.name.disabled = this.addButton.disabled = setup.read_only;
    this.askButton.disabled = !setup.may_train || !setup.classifiers.length;
    this.askButton.title = barred("trainer") || (setup.classifiers.length ? "A trained network looks at every image; it says how sure it is of each class and changes nothing" : "Train a classifier first");
    const { images, run, added } = setup.suggestions;
    this.asked.textContent = images
      ? `${run ?? "A classifier"} looked at ${formatNumber(images)} of ${formatNumber(setup.counts.all)} images, ${new Date(added * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })}.`
      : "No classifier has looked at the images yet. It can point out tags that are missing or wrong; people decide.";
    const { since } = setup;
    const changed = setup.counts.changed;
    this.since.textContent = !since ? "Nothing has been trained yet."
      : changed ? `The tags of ${formatNumber(changed)} ${changed === 1 ? "image" : "images"} changed since ${since.recipe ? `${since.recipe} ${since.job}` : `the snapshot “${since.name}”`}${since.first ? `; ${formatNumber(since.first)} of them had none before` : ""}.`
        : `No tag has changed since ${since.recipe ? `${since.recipe} ${since.job}` : `the snapshot “${since.name}”`}.`;
    this.again.hidden = !changed;
    this.#classList();
  }

  #classList() {
    const { setup, view } = this;
    const of = { suggested: "suggested", doubted: "doubted" }[view.show] ?? "images";
    this.classes.replaceChildren(...setup.classes.map((one) => {
      const key = this.keys.byClass.get(one.id);
      return el("li", { dataset: { class: one.name } },
        el("button", { type: "button", class: "ta-key", title: `Change the key that gives ${one.name}`, "aria-label": key ? `${one.name} is given by the key ${key}; change it` : `Choose a key for ${one.name}`, onclick: () => this.#wait(one) },
          el("kbd", { class: this.waitingFor?.id === one.id ? "waiting" : "" }, this.waitingFor?.id === one.id ? "…" : (key ?? "·").toUpperCase())),
        el("button", { type: "button", class: "ta-class", "aria-pressed": String(view.tag === one.id), title: view.tag === one.id ? "Show all classes again" : `List ${one.name} only`, onclick: () => this.onView({ tag: view.tag === one.id ? null : one.id }) },
          el("i", { style: { background: one.colour } }), el("span", {}, one.name), el("b", {}, formatNumber(one[of]))));
    }));
    if (!setup.classes.length) this.classes.replaceChildren(el("li", { class: "tm-faint" }, "None yet. Add what your images show."));
  }

  /** Waits for the key that a class is to have. */
  #wait(one) {
    this.waitingFor = one;
    this.#classList();
    toast(`Press the key that is to give ${one.name}; Esc leaves it as it is.`);
  }

  #remapped(event) {
    if (!this.waitingFor || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const one = this.waitingFor;
    this.waitingFor = null;
    const refused = event.key === "Escape" ? null : this.keys.remap(one.id, ClassKeys.pressed(event));
    if (refused) toast(refused, "warn");
    this.keys.update(this.setup.classes);
    this.#classList();
    this.onKeys();
  }
}
