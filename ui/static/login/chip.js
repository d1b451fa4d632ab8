// Who is logged in, at the right of the header, and the way out; and what to do when a login ended.
import { api, barred, el, toast } from "../ui.js";
import { changePassword } from "./password.js";

const WORDS = {
  viewer: "You can look at everything and change nothing",
  reviewer: "You can decide, tag and mend masks; bringing data in and training are a trainer's",
  trainer: "You can do everything here",
};

/** The name, the role and, where the login is our own, a button that ends it. */
export function loginChip({ name, role, how }) {
  const out = el("button", {
    type: "button", class: "lc-out", title: "Log out", "aria-label": `Log out ${name}`, onclick: () => leave(out),
  }, el("svg:svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, el("svg:path", { d: "M6.5 2.5h-3v11h3M10 5l3 3-3 3M12.5 8H6.5" })));
  const key = barred("viewer") ? null : el("button", {
    type: "button", class: "lc-out lc-key", title: "Change your password", "aria-label": "Change your password", onclick: () => changePassword(name),
  }, el("svg:svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, el("svg:path", { d: "M7.2 8.8 13 3m-1.8 1.8 1.6 1.6M8 10.5a2.8 2.8 0 1 1-5.6 0 2.8 2.8 0 0 1 5.6 0Z" })));
  return el("div", { class: "lc", role: "group", "aria-label": "Logged in" },
    el("span", { class: "lc-face", "aria-hidden": "true" }, initials(name)),
    el("span", { class: "lc-name", title: `${name}, ${role}: this name is written beside everything you decide` }, name),
    el("span", { class: `tm-badge ${role === "viewer" ? "warn" : ""}`, title: WORDS[role] }, role),
    how === "password" ? [key, out] : null);
}

/** Says once, when the server no longer knows this login, that there is a page to log in on; what was decided waits. */
export function watchLogin() {
  let told = false;
  window.addEventListener("tagmask:logged-out", () => {
    if (told) return;
    told = true;
    const note = toast("Your login has ended. What you decided is kept in this browser and is sent when you have logged in again.", "bad");
    note.querySelector("p").append(" ", el("a", { href: loginAddress() }, "Log in"));
    note.addEventListener("click", (event) => { if (event.target.closest("button")) told = false; });
  });
}

async function leave(button) {
  button.disabled = true;
  try {
    await api("logout");
    location.assign(loginAddress());
  } catch (error) {
    toast(error.message, "bad");
    button.disabled = false;
  }
}

function loginAddress() {
  return `/tagmask/login?next=${encodeURIComponent(location.pathname + location.search)}${location.hash}`;
}

function initials(name) {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  return [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...word][0] ?? "").join("").toUpperCase();
}
