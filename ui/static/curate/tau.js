// Which score is looked at and where its line stands, as the address says it: #by=SF&tau=0.55.
import { tabVisible } from "../ui.js";

export const SCORES = ["SF", "SC", "P", "AC", "CD"];
// SAL's own threshold for both scores with VGG16.
export const TAU = 0.55;

/** {by, tau}; null for what the address does not name or names wrongly. */
export function readTau() {
  const address = new URLSearchParams(location.hash.slice(1));
  const [by, tau] = [address.get("by"), Number(address.get("tau") || NaN)];
  return { by: SCORES.includes(by) ? by : null, tau: tau >= 0 && tau <= 1 ? Math.round(tau * 100) / 100 : null };
}

/** Keeps both in the address; a tab that is not seen writes nothing. */
export function writeTau({ by, tau }) {
  if (!tabVisible("curate")) return;
  const address = new URLSearchParams(location.hash.slice(1));
  address.set("by", by);
  address.set("tau", tau.toFixed(2));
  history.replaceState(history.state, "", `#${address}`);
}
