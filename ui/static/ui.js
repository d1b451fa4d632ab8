// What every tab shares: talking to the server, making elements, saying a sentence, who is here.

/** POST JSON to /tagmask/api/<path>; answers the parsed JSON or throws an Error whose message is a sentence. */
export async function api(path, body = {}, { signal } = {}) {
  const response = await send(apiPath(path), {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Tagmask": "1" },
    body: JSON.stringify(body),
    signal,
  });
  return parsed(response);
}

/** GET JSON from /tagmask/api/<path>, with `query` as search parameters (null and "" are left out). */
export async function getJSON(path, query = {}, { signal } = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, value);
  }
  const suffix = search.size ? `?${search}` : "";
  return parsed(await send(apiPath(path) + suffix, { headers: { "X-Tagmask": "1" }, signal }));
}

/** POST a FormData to /tagmask/api/<path>. */
export async function upload(path, form, { signal } = {}) {
  return parsed(
    await send(apiPath(path), { method: "POST", headers: { "X-Tagmask": "1" }, body: form, signal }),
  );
}

/** A raw Response, for streams. Throws a sentence when the server cannot be reached or refuses. */
export async function stream(path, body, { signal } = {}) {
  const response = await send(apiPath(path), {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Tagmask": "1" },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) await parsed(response);
  return response;
}

function apiPath(path) {
  return path.startsWith("/") ? path : `/tagmask/api/${path}`;
}

async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Check that app.py is still running, then try again.");
  }
}

async function parsed(response) {
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  if (response.status === 401) window.dispatchEvent(new CustomEvent("tagmask:logged-out"));
  const error = new Error(body?.error ?? `The server answered ${response.status} without a reason. Its terminal says more.`);
  error.status = response.status;
  // What the server says beside its sentence, such as who has the image or which mask is newer.
  error.body = body;
  throw error;
}

/**
 * An element: el("button", {class: "tm-button", onclick: save, dataset: {id: 3}}, "Save").
 * Properties that start with `on` are listeners; `style` may be an object; null, false and undefined are left out.
 */
export function el(tag, props = {}, ...children) {
  const [name, namespace] = tag.startsWith("svg:") ? [tag.slice(4), "http://www.w3.org/2000/svg"] : [tag, null];
  const node = namespace ? document.createElementNS(namespace, name) : document.createElement(name);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on") && typeof value === "function") node.addEventListener(key.slice(2).toLowerCase(), value);
    else if (key === "dataset") Object.assign(node.dataset, value);
    else if (key === "style" && typeof value === "object") {
      for (const [property, setting] of Object.entries(value)) {
        if (property.startsWith("--")) node.style.setProperty(property, setting);
        else node.style[property] = setting;
      }
    } else if (["value", "checked", "disabled", "selected", "hidden", "indeterminate"].includes(key)) node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Says a sentence in the corner; kind is info, good, warn or bad. Bad ones stay until closed. */
export function toast(sentence, kind = "info") {
  let holder = document.querySelector(".tm-toasts");
  if (!holder) {
    holder = el("div", { class: "tm tm-toasts", role: "status", "aria-live": "polite" });
    document.body.append(holder);
  }
  const note = el(
    "div",
    { class: `tm-toast ${kind}`, role: kind === "bad" ? "alert" : null },
    el("p", {}, String(sentence)),
    el("button", { type: "button", "aria-label": "Close", title: "Close", onclick: () => note.remove() }, "✕"),
  );
  while (holder.childElementCount >= 4) holder.firstElementChild.remove();
  holder.append(note);
  if (kind !== "bad") setTimeout(() => note.remove(), 3500 + 45 * String(sentence).length);
  return note;
}

/** 1234567 -> "1,234,567"; formatNumber(0.1234, 2) -> "0.12"; nothing known -> "–". */
export function formatNumber(value, digits = null) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const number = Number(value);
  if (digits === null) digits = Number.isInteger(number) ? 0 : 2;
  return number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Calls fn each time the tab comes into view (name: inspect, curate, train, data), at once if it is. Returns a stop function. */
export function onTabVisible(name, fn) {
  let observer = null;
  let stopped = false;
  const attach = () => {
    const root = document.getElementById(`tm-${name}`);
    if (stopped) return;
    if (!root) return requestAnimationFrame(attach);
    let visible = false;
    observer = new IntersectionObserver((entries) => {
      const now = entries.at(-1).isIntersecting;
      if (now && !visible) fn();
      visible = now;
    });
    observer.observe(root);
  };
  attach();
  return () => { stopped = true; observer?.disconnect(); };
}

/** Is the tab on screen? For timers and keys that must rest while it is hidden. */
export function tabVisible(name) {
  const root = document.getElementById(`tm-${name}`);
  return Boolean(root && root.offsetParent !== null);
}

/** Switches to a tab by its name. */
export function showTab(name) {
  for (const button of document.querySelectorAll('[role="tab"]')) {
    if (button.textContent.trim().toLowerCase() === name) return button.click();
  }
}

const REVIEWER = "tagmask.reviewer";

/** Who is logged in, {name, role, how: "password" or "proxy"}; null where nobody has to log in. */
export function login() {
  const found = document.querySelector('meta[name="tagmask-login"]');
  return found && { name: found.content, role: found.dataset.role, how: found.dataset.how };
}

/** Whether whoever looks at the page has this role or more: "viewer", "reviewer", "trainer". The server decides again. */
export function may(role) {
  const roles = ["viewer", "reviewer", "trainer"];
  return roles.indexOf(login()?.role ?? "trainer") >= roles.indexOf(role);
}

/** Why what takes this role is switched off for whoever looks, as a sentence for its title; "" where it is not. */
export function barred(role) {
  if (document.querySelector("#tm-header")?.dataset.readOnly === "yes") return "This workspace is open read-only; nothing can be changed.";
  return may(role) ? "" : `This takes the role ${role}; you are logged in as a ${login().role}.`;
}

/** The login's name, else the one kept in this browser; "reviewer" until one is given. */
export function reviewer() {
  return login()?.name ?? (localStorage.getItem(REVIEWER) || "reviewer");
}

/** Keeps the reviewer's name and tells the page through the window event `tagmask:reviewer`. */
export function setReviewer(name) {
  const clean = name.trim().slice(0, 64) || "reviewer";
  localStorage.setItem(REVIEWER, clean);
  window.dispatchEvent(new CustomEvent("tagmask:reviewer", { detail: { name: clean } }));
  return clean;
}

/** One id for this browser tab's visit, for grouping decisions and undoing only one's own. */
export function session() {
  let id = sessionStorage.getItem("tagmask.session");
  if (!id) {
    id = crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem("tagmask.session", id);
  }
  return id;
}

/** True while someone types, so that single-key shortcuts keep out of the way. */
export function typing(event) {
  const target = event.target;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}
