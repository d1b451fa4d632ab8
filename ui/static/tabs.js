// Which tab is open, as the address says it (#tab=curate), so that a link opens where it was made and a reload stays.
import { showTab } from "./ui.js";

const MOST = 200;
const TABS = '[role="tab"]';

/** Opens the tab that the address names and keeps the name of the open one in it. */
export function followTabs() {
  open();
  document.addEventListener("click", (event) => { if (event.target.closest?.(TABS)) setTimeout(name, 0); });
  document.addEventListener("keyup", (event) => { if (event.target.closest?.(TABS)) setTimeout(name, 0); });
  window.addEventListener("popstate", () => open());
}

function open(tries = MOST) {
  const wanted = new URLSearchParams(location.hash.slice(1)).get("tab");
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
