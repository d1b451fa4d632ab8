// Which tab is open, as the address says it (#tab=curate), so that a link opens where it was made and a reload stays.
import { showTab } from "./ui.js";

const MOST = 200;
const INSPECT = "inspect";
const TABS = '[role="tab"]';
// The number of the latest wish, of the address or of a person; an older one is no longer followed.
let following = 0;

/** Opens the tab that the address names and keeps the name of the open one in it. */
export function followTabs() {
  // Who has chosen a tab before this runs stays there, unless the address names another.
  if (named()) open();
  else name();
  // Asked again a little later, because a slow page may not have turned to the tab at once.
  const turned = (event) => {
    if (!event.target.closest?.(TABS)) return;
    // A person's press ends what the address asked for before it.
    if (event.isTrusted) following += 1;
    for (const wait of [0, 250]) setTimeout(name, wait);
  };
  document.addEventListener("click", turned);
  document.addEventListener("keyup", turned);
  window.addEventListener("popstate", () => open());
}

/** Looks at an image in Inspect, which follows the address: the address is all it takes. */
export function lookAt(image) {
  const address = new URLSearchParams(location.hash.slice(1));
  address.set("tab", INSPECT);
  address.set("image", image);
  showTab(INSPECT);
  location.hash = address;
}

function open(tries = MOST, asked = (following += 1)) {
  if (asked !== following) return;
  // An address that names no tab means the first one, also where another one is open.
  const wanted = named() ?? first();
  if (!wanted || wanted === selected() || !tries) return;
  // The header is there before the tabs are, and the tabs before a press on them is heard.
  showTab(wanted);
  setTimeout(() => open(tries - 1, asked), 50);
}

/** The tab that the address names, null for none. */
function named() {
  return new URLSearchParams(location.hash.slice(1)).get("tab");
}

function name() {
  const address = new URLSearchParams(location.hash.slice(1));
  const tab = selected();
  if (!tab || tab === address.get("tab")) return;
  // The first tab needs no name unless another one was named before.
  if (tab === first() && !address.has("tab")) return;
  address.set("tab", tab);
  history.replaceState(history.state, "", `#${address}`);
}

function selected() {
  return document.querySelector(`${TABS}[aria-selected="true"]`)?.textContent.trim().toLowerCase() ?? null;
}

function first() {
  return document.querySelector(TABS)?.textContent.trim().toLowerCase() ?? null;
}
