// The look of everything about people, asked for once by whichever part is shown first.
import { el } from "../ui.js";

let loaded = null;

/** Resolves once the style is there. */
export function style() {
  loaded ??= new Promise((done) => {
    const link = el("link", { rel: "stylesheet", href: "/tagmask/static/people.css" });
    link.onload = link.onerror = done;
    document.head.append(link);
  });
  return loaded;
}

/** 1770000000 -> "3 min ago"; older than a day, the date. */
export function ago(time) {
  const minutes = Math.round((Date.now() / 1000 - time) / 60);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.round(minutes / 60)} h ago`;
  return new Date(time * 1000).toLocaleDateString("en-GB", { dateStyle: "medium" });
}

/** A name for an act, which makes it idempotent. */
export function newAction() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
