// What the address says: which image, which weights and methods on each side, which training pass, which panel is enlarged, how
// maps are shown, where the camera is, and which settings were moved. Whoever opens it sees the same.
import { tabVisible } from "../ui.js";
import { COLOUR_MAPS } from "./colours.js";

const NAMES = ["image", "weights", "method", "weights2", "method2", "pass", "stage"];
const LAYERS = ["photo", "map", "outline", "difference", "errors"];
const SETTING = "set.";

/** The address as {image, weights, method, weights2, method2, pass, stage}, null for what it does not name. */
export function readAddress() {
  const address = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(NAMES.map((name) => [name, address.get(name)]));
}

/** Writes those of the names that have a value and drops the others, with {view, camera, settings}; a tab that is not seen writes nothing. */
export function writeAddress(values, { view, camera, settings }) {
  if (!tabVisible("inspect")) return;
  const address = new URLSearchParams(location.hash.slice(1));
  // An address that names another tab is being followed there: it is not this tab's to change.
  if ((address.get("tab") ?? "inspect") !== "inspect") return;
  // It is the first tab, which needs no name; a name of its own would bring back who pressed another tab while this one was opening.
  for (const name of [...address.keys()]) if (name.startsWith(SETTING)) address.delete(name);
  for (const name of NAMES) {
    if (values[name]) address.set(name, values[name]);
    else address.delete(name);
  }
  address.set("layers", LAYERS.filter((name) => view[name]).join(" "));
  address.set("opacity", String(Math.round(view.opacity * 100) / 100));
  address.set("colours", view.colourMap);
  if (camera.zoom === 1) address.delete("zoom");
  else address.set("zoom", [camera.zoom.toFixed(2), camera.x.toFixed(4), camera.y.toFixed(4)].join(" "));
  for (const [name, value] of Object.entries(settings)) address.set(`${SETTING}${name}`, typeof value === "string" ? value : JSON.stringify(value));
  history.replaceState(history.state, "", `#${address}`);
}

/** How maps are shown as the address has it: those of the view's fields that it names rightly. */
export function readView() {
  const address = new URLSearchParams(location.hash.slice(1));
  const found = {};
  const layers = address.get("layers");
  if (layers !== null) for (const name of LAYERS) found[name] = layers.split(" ").includes(name);
  const opacity = Number(address.get("opacity"));
  if (address.get("opacity") && opacity >= 0 && opacity <= 1) found.opacity = opacity;
  if (COLOUR_MAPS.includes(address.get("colours"))) found.colourMap = address.get("colours");
  return found;
}

/** Where the camera is as the address has it, {zoom, x, y}; the whole image where it does not say. */
export function readZoom() {
  const numbers = (new URLSearchParams(location.hash.slice(1)).get("zoom") ?? "").split(" ").map(Number);
  const [zoom, x, y] = numbers.length === 3 && numbers.every((value) => Number.isFinite(value) && value >= 0) ? numbers : [1, 0.5, 0.5];
  return { zoom, x, y };
}

/** The settings that the address names, as `defaults` have their kinds; others are passed over. */
export function readSettings(defaults) {
  const found = {};
  for (const [name, text] of new URLSearchParams(location.hash.slice(1))) {
    const setting = name.startsWith(SETTING) ? name.slice(SETTING.length) : null;
    if (setting === null || !Object.hasOwn(defaults, setting)) continue;
    const value = typeof defaults[setting] === "string" ? text : parsed(text);
    if (value !== undefined && alike(value, defaults[setting])) found[setting] = value;
  }
  return found;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of one kind: a number for a number, a list for a list; the CRF's numbers may also be null, for none. */
function alike(value, usual) {
  if (value === null) return usual === null || (typeof usual === "object" && !Array.isArray(usual));
  return typeof value === (usual === null ? "object" : typeof usual) && Array.isArray(value) === Array.isArray(usual);
}
