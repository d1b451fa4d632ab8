// One image at a time, large, with every class beside it.
import { el, formatNumber, getJSON } from "../ui.js";
import { percent } from "./tile.js";

const AHEAD = 5;
const SHOWN_CHANGES = 20;

export class Single {
  /** `acts`: {toggle(tag), step(by), close()}; `about()` answers {classes, view, keys, readOnly}. */
  constructor({ deck, acts, about }) {
    Object.assign(this, { deck, acts, about, place: -1, ahead: [] });
    this.picture = el("img", { class: "ta-photo", alt: "" });
    this.picture.addEventListener("error", () => {
      // Formats that a browser does not show, such as TIFF, are seen as their preview.
      const small = `/tagmask/thumbs/${this.row?.digest}?side=384`;
      if (this.row && !this.picture.src.endsWith(small)) this.picture.src = small;
    });
    this.title = el("h2", {});
    this.position = el("span", { class: "tm-faint" });
    this.list = el("div", { class: "ta-marks", role: "group", "aria-label": "Tags of this image" });
    this.log = el("ol", { class: "ta-log" });
    const step = (label, by, title) => el("button", { type: "button", class: "tm-button icon", title, "aria-label": title, onclick: () => acts.step(by) }, label);
    this.node = el("div", { class: "ta-single", hidden: true },
      el("div", { class: "ta-look" },
        el("header", {}, el("button", { type: "button", class: "tm-button", title: "Back to the grid (key Esc)", onclick: () => acts.close() }, "Grid"), this.title, this.position, el("span", { class: "ta-gap" }), step("←", -1, "Previous image (key ←)"), step("→", 1, "Next image (key →)")),
        el("div", { class: "ta-well" }, this.picture)),
      el("aside", { class: "ta-beside" }, el("h3", {}, "Tags"), this.list, el("h3", {}, "Changes"), this.log));
  }

  get open() {
    return !this.node.hidden;
  }

  show(place) {
    this.node.hidden = false;
    this.place = place;
    this.deck.want(place, place + AHEAD + 1);
    this.render();
  }

  close() {
    this.node.hidden = true;
    this.row = null;
    this.picture.removeAttribute("src");
  }

  render() {
    if (!this.open) return;
    const row = this.deck.at(this.place);
    this.position.textContent = `${formatNumber(this.place + 1)} of ${formatNumber(this.deck.length)}`;
    this.title.textContent = row?.name ?? "…";
    if (!row) return;
    const another = this.row?.id !== row.id;
    this.row = row;
    if (another) {
      this.picture.src = `/tagmask/files/${row.digest}`;
      this.picture.alt = row.name;
      this.ahead = Array.from({ length: AHEAD }, (_, by) => this.deck.at(this.place + 1 + by)).filter(Boolean).map(({ digest }) => Object.assign(new Image(), { src: `/tagmask/files/${digest}` }));
    }
    this.#marks(row);
    this.#changes(row, another);
  }

  #marks(row) {
    const { classes, view, keys, readOnly } = this.about();
    const scores = new Map(row.scores.map(([tag, score, judged]) => [tag, { score, judged }]));
    const rank = (one) => (row.tags.includes(one.id) ? 2 : 0) + (scores.get(one.id)?.score ?? 0);
    // The order stays while an image is looked at: what is pressed must not move away.
    if (this.ordered?.id !== row.id) this.ordered = { id: row.id, classes: [...classes.values()].sort((a, b) => rank(b) - rank(a) || a.id - b.id).map(({ id }) => id) };
    const order = [...this.ordered.classes, ...[...classes.keys()].filter((id) => !this.ordered.classes.includes(id))];
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.tag : null;
    this.list.replaceChildren(...order.map((id) => {
      const one = classes.get(id);
      const has = row.tags.includes(id);
      const said = scores.get(id);
      const kind = !said || said.judged ? "" : !has && said.score >= view.least ? " suggested" : has && said.score <= view.most ? " doubted" : "";
      return el("button", { type: "button", class: `ta-mark${kind}`, role: "checkbox", "aria-checked": String(has), disabled: readOnly, dataset: { tag: id }, onclick: () => this.acts.toggle(id),
        "aria-label": `${one.name}${said ? `, the classifier is ${percent(said.score)} sure` : ""}${kind && `,${kind}`}` },
        el("span", { class: "ta-tick", "aria-hidden": "true" }, has ? "✓" : ""), el("i", { style: { background: one.colour } }), el("span", { class: "ta-name" }, one.name),
        said ? el("span", { class: "ta-sure", title: "How sure the classifier is" }, el("i", { style: { width: `${100 * said.score}%` } })) : el("span", { class: "ta-sure none" }),
        el("b", {}, said ? percent(said.score) : ""), el("kbd", { "aria-hidden": "true" }, (keys.byClass.get(id) ?? "").toUpperCase()));
    }));
    if (focused) this.list.querySelector(`[data-tag="${focused}"]`)?.focus();
  }

  async #changes(row, another) {
    if (another) this.log.replaceChildren();
    const { classes } = this.about();
    try {
      const { changes } = await getJSON(`tags/log/${row.id}`);
      if (this.row?.id !== row.id) return;
      const named = (ids) => ids.map((id) => classes.get(id)?.name ?? `class ${id}`).join(", ");
      this.log.replaceChildren(...changes.slice(0, SHOWN_CHANGES).map((each) => {
        const given = each.after.filter((id) => !each.before.includes(id));
        const taken = each.before.filter((id) => !each.after.includes(id));
        const said = [given.length && `+ ${named(given)}`, taken.length && `− ${named(taken)}`].filter(Boolean).join("  ") || (each.undoes ? "undone" : `${named(each.judged)}: left as it was`);
        return el("li", {}, el("span", {}, said), el("span", { class: "tm-faint" }, `${each.by}, ${new Date(each.at * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })}${each.undoes ? " (undo)" : ""}`));
      }));
    } catch { /* The history is beside the point of this view: it comes with the next image. */ }
  }
}
