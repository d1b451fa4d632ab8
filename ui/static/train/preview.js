// Before training: the policy in a sentence, and how many images each of its rules takes.
import { el, formatNumber, getJSON } from "../ui.js";
import { figure } from "./words.js";

const PAUSE = 600;

export class Preview {
  constructor() {
    this.turn = 0;
    this.asked = "";
    this.sentence = el("p", { class: "tr-policy" });
    this.table = el("div", { class: "tr-rules", role: "status" });
    this.node = el("div", { class: "tr-preview", hidden: true }, this.sentence, this.table);
  }

  /** Shows what a run of this order would learn from; of all tagged images, which are no snapshot yet, only the policy. */
  ask(recipe, order, policies, isTagged) {
    this.node.hidden = !recipe.previews;
    if (!recipe.previews) return;
    const policy = order.options.policy ?? Object.keys(policies)[0];
    this.sentence.textContent = policies[policy] ?? "";
    if (isTagged) {
      this.turn += 1;
      this.asked = "";
      this.table.replaceChildren(el("p", { class: "tm-faint" }, "Choose a snapshot to see how many images each rule takes; “Freeze all candidates” makes one."));
      return;
    }
    const wanted = JSON.stringify(order);
    if (wanted === this.asked) return;
    this.asked = wanted;
    const turn = ++this.turn;
    this.table.setAttribute("aria-busy", "true");
    if (!this.table.childElementCount) this.table.replaceChildren(el("p", { class: "tm-faint" }, "Counting the images of each rule …"));
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.#read(turn, wanted), PAUSE);
  }

  async #read(turn, order) {
    let shown;
    try {
      shown = rules(await getJSON("train/preview", { order }));
    } catch (error) {
      // What a person changes may mend it; the same order is asked again, too.
      if (turn === this.turn) this.asked = "";
      shown = [el("p", { class: "bad" }, error.message.split("\n")[0])];
    }
    if (turn !== this.turn) return;
    this.table.removeAttribute("aria-busy");
    this.table.replaceChildren(...shown);
  }
}

function rules({ rules: rows, images, weight, tau, by }) {
  return [
    el("table", { class: "tm-table" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Rule"), el("th", { class: "number", scope: "col", title: "w, what a mask weighs in the selection loss" }, "Weight"), el("th", { class: "number", scope: "col" }, "Images"))),
      el("tbody", {}, rows.map((row) => el("tr", { class: row.weight ? null : "off", dataset: { rule: row.rule } },
        el("td", {}, capital(row.why)), el("td", { class: "number" }, figure(row.weight)), el("td", { class: "number" }, formatNumber(row.images)))))),
    el("p", {}, `${formatNumber(weight)} of ${formatNumber(images)} masks teach${tau === null ? "" : `; tau is ${Number(tau.toPrecision(4))}, of ${by}`}.`),
  ];
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
