// The order by disagreement needs every image's masks compared once; that is begun where it is asked for, and told.
import { api, el, formatNumber, getJSON } from "../ui.js";

const LOOK_MS = 700;

export class Comparing {
  /** `element` is where it is told; `onDone()` hears that there are new numbers. */
  constructor({ element, onDone }) {
    this.element = element;
    this.onDone = onDone;
    this.order = null;
  }

  /** Takes the order that is chosen now. */
  async follow(order, readOnly) {
    this.order = order;
    clearTimeout(this.timer);
    if (order !== "methods") {
      this.element.hidden = true;
      return;
    }
    try {
      const state = await getJSON("curate/comparing");
      if (state.running) this.#watch(state);
      else if (!state.waiting) this.element.hidden = true;
      else if (readOnly) this.#tell(`The masks of ${formatNumber(state.waiting)} images were not compared yet; open the workspace without --read-only for that.`);
      else this.#watch(await api("curate/compare"));
    } catch (error) {
      this.#tell(error.message);
    }
  }

  #watch({ running, done, total, said }) {
    if (this.order !== "methods") return;
    if (!running) {
      this.element.hidden = !said.length;
      this.element.replaceChildren(...said.map((sentence) => el("p", {}, sentence)));
      this.onDone();
      return;
    }
    this.#tell(total ? `Comparing masks: ${formatNumber(done)} of ${formatNumber(total)} images` : "Comparing masks…");
    this.timer = setTimeout(() => getJSON("curate/comparing").then((state) => this.#watch(state), (error) => this.#tell(error.message)), LOOK_MS);
  }

  #tell(sentence) {
    this.element.textContent = sentence;
    this.element.hidden = false;
  }
}
