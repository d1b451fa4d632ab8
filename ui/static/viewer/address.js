// What the address says: which image, which weights and methods on each side, which training pass, which panel is enlarged.
import { tabVisible } from "../ui.js";

const NAMES = ["image", "weights", "method", "weights2", "method2", "pass", "stage"];

/** The address as {image, weights, method, weights2, method2, pass, stage}, null for what it does not name. */
export function readAddress() {
  const address = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(NAMES.map((name) => [name, address.get(name)]));
}

/** Writes those of the names that have a value and drops the others; a tab that is not seen writes nothing. */
export function writeAddress(values) {
  if (!tabVisible("inspect")) return;
  const address = new URLSearchParams(location.hash.slice(1));
  for (const name of NAMES) {
    if (values[name]) address.set(name, values[name]);
    else address.delete(name);
  }
  history.replaceState(history.state, "", `#${address}`);
}
