// The Tags tab: what is in each image, said for many at once, with what a classifier would say beside it.
import { api, el, formatNumber, getJSON, onTabVisible, reviewer, session, tabVisible, toast, typing } from "./ui.js";
import { Outbox } from "./curate/outbox.js";
import { Pressing } from "./curate/pressing.js";
import { readView, writeView } from "./tags/address.js";
import { Asking } from "./tags/ask.js";
import { Bar } from "./tags/bar.js";
import { ClassKeys } from "./tags/classkeys.js";
import { Deck, questionOf } from "./tags/deck.js";
import { Grid } from "./tags/grid.js";
import { handle, showMap } from "./tags/keys.js";
import { listen } from "./tags/marquee.js";
import { Rail } from "./tags/rail.js";
import { TagSearch } from "./tags/search.js";
import { Selection } from "./tags/selection.js";
import { Single } from "./tags/single.js";

const SIZES = [[128, "S", "Small"], [176, "M", "Middle"], [264, "L", "Large"]];

export async function mount(root) {
  const style = el("link", { rel: "stylesheet", href: "/tagmask/static/tags.css" });
  await new Promise((done) => { style.onload = style.onerror = done; document.head.append(style); });
  new TagsTab(root).start();
}

class TagsTab {
  constructor(root) {
    this.root = root;
    const workspace = document.querySelector("#tm-header")?.dataset.id ?? "";
    this.view = readView();
    this.setup = null;
    this.classes = new Map();
    this.keys = new ClassKeys(workspace);
    this.pressing = new Pressing();
    this.deck = new Deck({ onRows: () => this.soon(), onTrouble: (error) => { this.said.textContent = error.message; } });
    this.selection = new Selection(this.deck, () => this.render());
    this.grid = new Grid({ deck: this.deck, selection: this.selection, about: () => this });
    this.search = new TagSearch({ give: (one) => { this.give(one.id); this.focus(); }, add: (name) => this.addAndGive(name), keyOf: (id) => this.keys.byClass.get(id) });
    const acts = {
      give: (tag) => this.give(tag), take: (tag) => this.take(tag), answer: (yes) => this.answer(yes), undo: () => this.undo(),
      open: () => this.open(), clear: () => this.selection.clear(), close: () => this.closeSingle(), step: (by) => this.step(by),
      toggle: (tag) => (this.chosenRows()[0]?.tags.includes(tag) ? this.take(tag) : this.give(tag)),
    };
    this.single = new Single({ deck: this.deck, acts, about: () => ({ classes: this.classes, view: this.view, keys: this.keys, readOnly: this.readOnly }) });
    this.bar = new Bar({ acts, search: this.search });
    this.rail = new Rail({ keys: this.keys, onView: (change) => this.look(change), onAsk: () => this.asking.open(this.setup.classifiers), onClass: (name) => this.addClass(name), onKeys: () => this.render() });
    this.asking = new Asking({ rail: this.rail, onDone: () => { toast("The classifier has looked at the images.", "good"); this.refresh(); } });
    // A box of its own: what was decided on masks never waits for tags.
    this.outbox = new Outbox(`${workspace}.tags`, {
      onChange: (waiting, problem, sent) => this.#sent(waiting, problem, sent),
      onRefused: (entry, error) => { toast(`Not recorded: ${error.message}`, "bad"); this.deck.refresh([...this.deck.rows.keys()]); this.refresh(); },
    });
  }

  start() {
    const size = localStorage.getItem("tagmask.tags.size") ?? "176";
    this.said = el("span", { class: "ta-said", role: "status", "aria-live": "polite" });
    this.saving = el("span", { class: "ta-saving" });
    this.total = el("h2", { class: "ta-total" });
    this.fresh = el("button", { type: "button", class: "tm-button small", hidden: true, title: "Read the list anew, without what has been answered", onclick: () => this.refresh() }, "Refresh the list");
    this.sizes = SIZES.map(([wide, label, title]) => el("button", { type: "button", class: "tm-button small icon", title: `${title} pictures`, "aria-label": `${title} pictures`, dataset: { wide }, onclick: () => this.#size(wide) }, label));
    this.empty = el("div", { class: "tm-empty ta-empty", hidden: true });
    this.gridPart = el("div", { class: "ta-grid-part" }, this.grid.node, this.empty);
    this.root.replaceChildren(el("div", { class: "ta" }, this.rail.node,
      el("section", { class: "ta-main", "aria-label": "Images and their tags" },
        el("header", { class: "ta-head" }, this.total, this.said, el("span", { class: "ta-gap" }), this.saving, this.fresh, el("div", { class: "ta-sizes", role: "group", "aria-label": "Size of the pictures" }, this.sizes),
          el("button", { type: "button", class: "tm-button small icon", title: "The map of keys (key ?)", "aria-label": "The map of keys", onclick: () => showMap(this.classes, this.keys) }, "?")),
        this.gridPart, this.single.node, this.bar.node)));
    this.#size(Number(size));
    listen(this.grid, this.selection, (place) => { this.selection.only(place); this.open(); });
    this.gridPart.addEventListener("pointerdown", () => this.focus());
    document.addEventListener("keydown", (event) => {
      if (!tabVisible("tags") || typing(event) || document.querySelector("dialog[open]") || this.pressing.takes(event)) return;
      handle(this, event);
    });
    window.addEventListener("beforeunload", (event) => { if (this.outbox.entries.length) event.preventDefault(); });
    window.addEventListener("popstate", () => { if (tabVisible("tags")) this.look(readView(), false); });
    this.outbox.flush();
    onTabVisible("tags", () => { this.view = readView(); this.refresh(); this.grid.layout(); });
  }

  get readOnly() {
    return !this.setup || this.setup.read_only;
  }

  /** Reads classes, numbers and the list anew, staying on the image in view. */
  async refresh() {
    const here = this.deck.ids[this.selection.cursor];
    try {
      await Promise.race([this.outbox.flush(), new Promise((late) => setTimeout(late, 2000))]);
      const [setup, mine] = await Promise.all([this.#setup(), this.deck.load(this.view)]);
      if (!setup || !mine) return;
      this.selection.relist(here);
      this.stale = false;
      writeView(this.view);
      this.grid.layout();
      this.render();
    } catch (error) {
      this.#empty("The images could not be read", error.message, el("button", { class: "tm-button", type: "button", onclick: () => this.refresh() }, "Try again"));
    }
  }

  /** Classes and numbers; the list stays as it is. */
  async #setup() {
    this.setup = await getJSON("tags/setup", { least: this.view.least, most: this.view.most });
    this.classes = new Map(this.setup.classes.map((one) => [one.id, one]));
    this.keys.update(this.setup.classes);
    this.rail.update(this.setup, this.view);
    this.search.update(this.setup.classes, this.setup.read_only);
    this.asking.follow(this.setup.looking);
    return this.setup;
  }

  /** Lists something else. */
  async look(change, write = true) {
    this.view = { ...this.view, ...change };
    this.selection.clear();
    this.single.close();
    this.grid.node.scrollTop = 0;
    if (write) writeView(this.view);
    await this.refresh();
  }

  /** Renders in the next frame, once, however many pages of images come in before it. */
  soon() {
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.render(); });
  }

  render() {
    if (!this.setup) return;
    const chosen = this.single.open ? [this.deck.ids[this.single.place]].filter(Boolean) : this.selection.chosen();
    const rows = chosen.map((id) => this.deck.rows.get(id)).filter(Boolean);
    this.total.textContent = `${formatNumber(this.deck.length)} ${this.deck.length === 1 ? "image" : "images"}`;
    this.fresh.hidden = !this.stale;
    this.gridPart.hidden = this.single.open;
    if (!this.single.open) this.grid.soon();
    this.single.render();
    this.bar.show({ size: this.single.open ? 0 : this.selection.size, chosen, rows, classes: this.classes, view: this.view, readOnly: this.readOnly, single: this.single.open });
    if (this.deck.length) this.empty.hidden = true;
    else this.#empty(...NOTHING(this.view, this.setup));
  }

  chosenRows() {
    const chosen = this.single.open ? [this.deck.ids[this.single.place]] : this.selection.chosen();
    return chosen.map((id) => this.deck.rows.get(id)).filter(Boolean);
  }

  give(tag) { this.#edit([{ images: this.#chosen(), add: [tag], remove: [] }], `${this.classes.get(tag).name} given to`); }

  take(tag) { this.#edit([{ images: this.#chosen(), add: [], remove: [tag] }], `${this.classes.get(tag).name} taken from`); }

  /** Says yes or no to what the classifier asks first about each chosen image, of the class that is listed where one is. */
  answer(yes) {
    const groups = new Map();
    for (const row of this.chosenRows()) {
      const question = questionOf(row, this.view);
      if (question) groups.set(question[0], [...(groups.get(question[0]) ?? []), row.id]);
    }
    if (!groups.size) return void (this.said.textContent = "The classifier asks nothing about these images.");
    const edits = [...groups].map(([tag, images]) => (yes ? { images, add: [tag], remove: [] } : { images, add: [], remove: [tag] }));
    const one = groups.size === 1 ? this.classes.get([...groups.keys()][0])?.name : `${groups.size} classes`;
    this.#edit(edits, `${yes ? "Yes" : "No"} to ${one} for`);
    if (this.single.open || !this.selection.size) this.step(1);
  }

  undo() {
    if (!this.readOnly) this.outbox.push("tags/undo", { reviewer: reviewer(), session: session() });
  }

  #chosen() {
    return this.single.open ? [this.deck.ids[this.single.place]] : this.selection.chosen();
  }

  #edit(edits, said) {
    const images = edits.reduce((sum, edit) => sum + edit.images.length, 0);
    if (this.readOnly || !images) return;
    try {
      this.outbox.push("tags/change", { edits, reviewer: reviewer(), session: session() });
    } catch {
      return void toast("This browser's storage is full, so the change could not be kept and was not made. Select fewer images.", "bad");
    }
    for (const edit of edits) this.deck.apply(edit);
    this.said.textContent = `${said} ${images === 1 ? (this.chosenRows()[0]?.name ?? "1 image") : `${formatNumber(images)} images`}`;
    this.stale = this.view.show !== "all" || this.view.tag !== null;
    this.render();
  }

  async addClass(name) {
    try {
      const made = await api("tags/classes", { name });
      await this.#setup();
      this.render();
      return made;
    } catch (error) {
      toast(error.message, "warn");
      return null;
    }
  }

  async addAndGive(name) {
    const made = await this.addClass(name);
    if (made) this.give(made.id);
    this.focus();
  }

  open() {
    const [id] = this.selection.chosen();
    if (id !== undefined) this.#single(this.deck.placeOf(id));
  }

  closeSingle() {
    const { place } = this.single;
    this.single.close();
    this.selection.only(place);
    this.grid.layout();
    this.grid.reveal(place);
    this.focus();
  }

  step(by) {
    const from = this.single.open ? this.single.place : this.selection.cursor;
    const place = Math.max(0, Math.min(this.deck.length - 1, from + by));
    if (this.single.open) return this.#single(place);
    this.selection.move(place, false);
    this.grid.reveal(place);
  }

  #single(place) {
    this.single.show(place);
    this.selection.cursor = this.selection.anchor = place;
    this.render();
  }

  focus() {
    if (!this.single.open) this.grid.node.focus({ preventScroll: true });
    else document.activeElement?.blur();
  }

  #sent(waiting, problem, sent) {
    this.saving.textContent = problem ? `${waiting} ${waiting === 1 ? "change is" : "changes are"} kept in this browser and will be sent: ${problem}` : waiting ? "Saving…" : "All changes saved";
    this.saving.classList.toggle("bad", Boolean(problem));
    if (!sent) return;
    const undone = sent.entry.path === "tags/undo";
    const act = undone ? sent.answer.act : sent.answer;
    if (undone && !act) return void toast("There is nothing of yours left to undo.");
    if (undone) {
      this.said.textContent = `Undone for ${formatNumber(act.images.length)} ${act.images.length === 1 ? "image" : "images"}`;
      this.deck.refresh(act.images);
    }
    clearTimeout(this.counting);
    if (!waiting) this.counting = setTimeout(() => this.#setup().then(() => this.render(), () => {}), 250);
  }

  #size(wide) {
    localStorage.setItem("tagmask.tags.size", wide);
    for (const button of this.sizes) button.setAttribute("aria-pressed", String(Number(button.dataset.wide) === wide));
    this.grid.size(wide);
  }

  #empty(title, text, ...more) {
    this.empty.replaceChildren(el("h2", {}, title), el("p", {}, text), ...more);
    this.empty.hidden = false;
  }
}

/** Why a list is empty and what to do: [title, text]. */
function NOTHING({ show, tag, query }, { counts, suggestions, since }) {
  if (!counts.all) return ["No images yet", "Bring photographs in with the Data tab; here each gets its tags: what is in it, not where."];
  if (query || tag !== null) return ["No image matches", "Choose another class or list, or clear the name."];
  if (show === "untagged") return ["Every image has a tag", "There is nothing left without one."];
  if (show === "changed") return ["No tag has changed", since ? "The latest training saw the tags as they are now." : "Nothing has been trained yet."];
  if (!suggestions.images) return ["No classifier has looked yet", "Ask one on the left: it says how sure it is of each class, and you decide."];
  return show === "suggested" ? ["Nothing is suggested", "Every class that the classifier is this sure of is a tag already, or somebody said no."] : ["No tag is doubted", "The classifier sees every tag, or somebody said that it is right."];
}
