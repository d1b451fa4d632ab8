// What the address says of a comparison, so that a link shows it again: #tab=compare&a=run:1&b=run:2&pick=IMAGE&split=0.5.
import { tabVisible } from "../ui.js";

const NAMES = ["a", "b", "measure", "class", "sort", "pick", "split", "look", "outlines", "masks", "camera"];

/** The address as {a, b, measure, class, sort, pick, split, look, outlines, masks, camera}, null for what it does not name. */
export function readAddress() {
  const address = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(NAMES.map((name) => [name, address.get(name)]));
}

/** Is it an address of this tab? */
export function isMine() {
  return new URLSearchParams(location.hash.slice(1)).get("tab") === "compare";
}

/** Writes those of the names that have a value and drops the others; a tab that is not seen writes nothing. */
export function writeAddress(values) {
  const address = new URLSearchParams(location.hash.slice(1));
  // An address that names another tab is being followed there: it is not this tab's to change.
  if (!tabVisible("compare") || (address.get("tab") ?? "compare") !== "compare") return;
  address.set("tab", "compare");
  for (const name of NAMES) {
    if (values[name] === null || values[name] === undefined || values[name] === "") address.delete(name);
    else address.set(name, values[name]);
  }
  history.replaceState(history.state, "", `#${address}`);
}
