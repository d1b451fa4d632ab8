// Before training: the policy in a sentence, and how many images each of its rules takes.
import { el, formatNumber, getJSON } from "../ui.js";
import { figure, inForm } from "./words.js";

const PAUSE = 600;

// The rules in a few words; the trainer's own sentence stands in the title.
const RULES = {
  true: "True mask", fixed: "Drawn by a person", accepted: "Accepted", above: "Score at least tau", all: "Every proposed mask",
  below: "Score below tau", unscored: "No score", rejected: "Rejected", undecided: "Not decided on", bare: "No mask",
};

export class Preview {
  constructor() {
    this.asked = "";
    this.reading = null;
    this.sentence = el("p", { class: "tr-policy" });
    this.state = el("p", { class: "tr-counting tm-faint", hidden: true }, "Counting …");
    this.table = el("div", { class: "tr-rules" });
    this.node = el("section", { class: "tr-preview", "aria-label": "What teaches", hidden: true }, this.sentence, el("div", { role: "status" }, this.state, this.table));
  }

  /** Shows what a run of this order would learn from; of all tagged images, which are no snapshot yet, only the policy. */
  ask(recipe, order, { policies, recipes }, isTagged) {
    this.node.hidden = !recipe.previews;
    if (!recipe.previews) return this.#stop();
    const policy = order.options.policy ?? Object.keys(policies)[0];
    this.sentence.textContent = policies[policy] ?? "";
    if (isTagged) {
      this.#stop();
      this.table.replaceChildren(el("p", { class: "tm-faint" }, "Choose a snapshot to see how many images each rule takes; “Freeze all candidates” makes one."));
      return;
    }
    const wanted = JSON.stringify(order);
    if (wanted === this.asked) return;
    this.#stop();
    this.asked = wanted;
    this.state.hidden = false;
    this.table.setAttribute("aria-busy", "true");
    // What was wrong with the last order may be mended in this one; a table fades until the new one is there.
    if (this.table.querySelector("p.bad, p.tm-faint")) this.table.replaceChildren();
    this.waiting = setTimeout(() => this.#read(wanted, { recipe, recipes }), PAUSE);
  }

  /** Forgets an order that is being counted. */
  #stop() {
    clearTimeout(this.waiting);
    this.reading?.abort();
    this.reading = null;
    this.asked = "";
    this.state.hidden = true;
    this.table.removeAttribute("aria-busy");
  }

  async #read(order, words) {
    const reading = new AbortController();
    this.reading = reading;
    let shown;
    try {
      shown = rules(await getJSON("train/preview", { order }, { signal: reading.signal }), words);
    } catch (error) {
      if (reading.signal.aborted) return;
      // The same order is asked again, too: the data may have changed.
      this.asked = "";
      shown = [el("p", { class: "bad" }, inForm(error.message.split("\n")[0], words.recipe, words.recipes))];
    }
    if (reading.signal.aborted) return;
    this.reading = null;
    this.state.hidden = true;
    this.table.removeAttribute("aria-busy");
    this.table.replaceChildren(...shown);
  }
}

function rules({ rules: rows, images, weight, tau, by }, { recipe, recipes }) {
  return [
    el("table", { class: "tm-table" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Rule"), el("th", { class: "number", scope: "col", title: "w, what a mask weighs in the selection loss" }, "Weight"), el("th", { class: "number", scope: "col" }, "Images"))),
      el("tbody", {}, rows.map((row) => {
        const why = capital(inForm(row.why, recipe, recipes));
        return el("tr", { class: row.weight ? null : "off", dataset: { rule: row.rule }, title: why },
          el("td", {}, RULES[row.rule] ?? why), el("td", { class: "number" }, figure(row.weight)), el("td", { class: "number" }, formatNumber(row.images)));
      }))),
    el("p", {}, `${formatNumber(weight)} of ${formatNumber(images)} masks teach${tau === null ? "" : `; tau is ${Number(tau.toPrecision(4))}, of ${by}`}.`),
  ];
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
