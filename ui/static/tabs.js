// Which tab is open, as the address says it (#tab=curate), so that a link opens where it was made and a reload stays.
import { showTab } from "./ui.js";

const MOST = 200;
const INSPECT = "inspect";
const TABS = '[role="tab"]';

/** Opens the tab that the address names and keeps the name of the open one in it. */
export function followTabs() {
  open();
  // Asked again a little later, because a slow page may not have turned to the tab at once.
  const turned = (event) => { if (event.target.closest?.(TABS)) for (const wait of [0, 250]) setTimeout(name, wait); };
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

function open(tries = MOST) {
  // An address that names no tab means the first one, also where another one is open.
  const wanted = new URLSearchParams(location.hash.slice(1)).get("tab") ?? first();
  if (!wanted || wanted === selected() || !tries) return;
  // The header is there before the tabs are, and the tabs before a press on them is heard.
  showTab(wanted);
  setTimeout(() => open(tries - 1), 50);
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
