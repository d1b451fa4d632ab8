// How maps are shown, as kept in this browser for every tab that shows some.
import { COLOUR_MAPS } from "./colours.js";

const KEPT = "tagmask.view";
const DEFAULTS = { colourMap: "viridis", opacity: 0.72, photo: true, map: true, outline: true };

export function keptView() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return { ...DEFAULTS, ...kept, colourMap: COLOUR_MAPS.includes(kept.colourMap) ? kept.colourMap : DEFAULTS.colourMap };
  } catch {
    return { ...DEFAULTS };
  }
}

export function keepView(view) {
  localStorage.setItem(KEPT, JSON.stringify(view));
}
