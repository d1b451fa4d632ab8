// The keys of the Tags tab, and their map as a dialog.
import { el } from "../ui.js";
import { ClassKeys } from "./classkeys.js";

const MAP = [
  ["Y N", "Yes or no to what the classifier asks about the selected images"], ["Z", "Undo your last change, any number of times"], ["/", "Find a class by name, or add one"],
  ["← → ↑ ↓", "Move; with Shift select on the way"], ["Home End", "First, last"], ["PgUp PgDn", "A screen up, down"],
  ["Space", "Select the image at the cursor or leave it out"], ["Ctrl+A", "Select all of the list"], ["Enter", "One image at a time"], ["Esc", "Select nothing; back to the grid"], ["?", "This map"],
];

/** Does what a key says, where it says something here. */
export function handle(tab, event) {
  const { key } = event;
  if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "a" && !tab.single.open) {
    event.preventDefault();
    return tab.selection.all();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = tab.single.open ? ofSingle(tab, key) : ofGrid(tab, event);
  const common = act ?? ofBoth(tab, event);
  if (!common) return;
  event.preventDefault();
  common();
}

function ofBoth(tab, event) {
  if (event.key === "?") return () => showMap(tab.classes, tab.keys);
  if (event.key === "/") return () => tab.search.input.focus();
  const pressed = ClassKeys.pressed(event);
  const fixed = { y: () => tab.answer(true), n: () => tab.answer(false), z: () => tab.undo() }[pressed];
  if (fixed) return event.repeat && pressed !== "z" ? () => {} : fixed;
  const tag = tab.keys.byKey.get(pressed);
  if (tag === undefined) return null;
  // A key that is held down gives once.
  return event.repeat ? () => {} : () => (event.shiftKey ? tab.take(tag) : tab.give(tag));
}

function ofSingle(tab, key) {
  return {
    Escape: () => tab.closeSingle(), Enter: () => tab.closeSingle(),
    ArrowLeft: () => tab.step(-1), ArrowRight: () => tab.step(1), ArrowUp: () => tab.step(-1), ArrowDown: () => tab.step(1), " ": () => tab.step(1),
    Home: () => tab.step(-tab.deck.length), End: () => tab.step(tab.deck.length),
  }[key];
}

function ofGrid(tab, { key, shiftKey }) {
  const { selection, grid, deck } = tab;
  if (!deck.length) return null;
  const move = (by) => () => { selection.move(selection.cursor + by, shiftKey); grid.reveal(selection.cursor); };
  const { columns } = grid;
  return {
    ArrowLeft: move(-1), ArrowRight: move(1), ArrowUp: move(-columns), ArrowDown: move(columns),
    PageUp: move(-columns * grid.pageRows), PageDown: move(columns * grid.pageRows), Home: move(-deck.length), End: move(deck.length),
    " ": () => selection.toggle(selection.cursor), Enter: () => tab.open(), Escape: () => selection.clear(),
  }[key];
}

/** Opens the map of keys; Escape closes it. */
export function showMap(classes, keys) {
  const kbd = (text) => el("dt", {}, text.split(" ").map((each) => el("kbd", {}, each)));
  const given = [...classes.values()].filter(({ id }) => keys.byClass.has(id));
  const dialog = el("dialog", { class: "tm ta-dialog ta-map", "aria-label": "Keys" },
    el("h2", {}, "Keys"),
    el("dl", {}, MAP.map(([key, what]) => [kbd(key), el("dd", {}, what)])),
    el("h3", {}, "Classes: the key gives the tag, with Shift it takes it"),
    el("dl", { class: "ta-map-classes" }, given.map((one) => [kbd(keys.byClass.get(one.id).toUpperCase()), el("dd", {}, one.name)])),
    el("p", { class: "tm-faint" }, "Press a key's sign in the list of classes to choose another. Keys rest while you type in a field. Drag draws a box around images; Ctrl adds to what is selected."),
    el("form", { method: "dialog" }, el("button", { class: "tm-button", autofocus: true }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
