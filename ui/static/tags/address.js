// Which list the Tags tab shows, in the page's address, so that it can be bookmarked and shared.
import { tabVisible } from "../ui.js";

export const PLAIN = { show: "all", tag: null, query: "", least: 0.5, most: 0.2 };

/** What the address says of the list, the usual where it says nothing. */
export function readView() {
  const address = new URLSearchParams(location.hash.slice(1));
  const view = { ...PLAIN };
  for (const [name, usual] of Object.entries(PLAIN)) {
    const said = address.get(`tags-${name}`);
    if (said === null) continue;
    const number = typeof usual === "number" || usual === null;
    if (!number) view[name] = said;
    else if (Number.isFinite(Number(said))) view[name] = Number(said);
  }
  return view;
}

/** Writes the list into the address; a tab that is not seen writes nothing. */
export function writeView(view) {
  if (!tabVisible("tags")) return;
  const address = new URLSearchParams(location.hash.slice(1));
  for (const [name, usual] of Object.entries(PLAIN)) {
    if (view[name] === usual || view[name] === null) address.delete(`tags-${name}`);
    else address.set(`tags-${name}`, view[name]);
  }
  if (`#${address}` !== location.hash) history.pushState(history.state, "", `#${address}`);
}
