// The line at the top: wordmark, workspace, reviewer, theme.
import { el, login, reviewer, setReviewer } from "./ui.js";
import { followTabs } from "./tabs.js";
import { loginChip, watchLogin } from "./login/chip.js";

const THEME = "tagmask.theme";
const CHOICES = [
  ["light", "Light", "M8 3V1.5M8 14.5V13M13 8h1.5M1.5 8H3M11.5 4.5l1-1M3.5 12.5l1-1M11.5 11.5l1 1M3.5 3.5l1 1M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z"],
  ["dark", "Dark", "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z"],
  ["auto", "Same as the system", "M2 3.5h12v7.5H2zM6 14h4M8 11v3"],
];
const system = window.matchMedia("(prefers-color-scheme: dark)");

function apply(choice) {
  const dark = choice === "dark" || (choice === "auto" && system.matches);
  document.documentElement.dataset.tmTheme = dark ? "dark" : "light";
  document.documentElement.classList.toggle("dark", dark);
  document.body.classList.toggle("dark", dark);
  window.dispatchEvent(new CustomEvent("tagmask:theme", { detail: { dark } }));
}

/** Fills the header's root element. */
export function mount(root) {
  let theme = localStorage.getItem(THEME) ?? "auto";
  const icon = (path) => el("svg:svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, el("svg:path", { d: path }));
  const buttons = CHOICES.map(([value, label, path]) =>
    el("button", { type: "button", title: `Theme: ${label.toLowerCase()}`, "aria-label": `Theme: ${label}`, onclick: () => choose(value), dataset: { value } }, icon(path)),
  );
  function choose(value) {
    theme = value;
    localStorage.setItem(THEME, value);
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === value));
    apply(value);
  }
  const name = el("input", {
    class: "tm-who", value: reviewer(), "aria-label": "Reviewer's name", title: "Who decides: this name is written beside every decision made in this browser",
    maxlength: 64, spellcheck: "false", autocomplete: "off",
    onchange: () => { name.value = setReviewer(name.value); fit(); },
    oninput: () => fit(),
    onkeydown: (event) => { if (event.key === "Enter") name.blur(); },
  });
  const fit = () => { name.style.width = `${Math.min(Math.max(name.value.length, 6), 20) + 3}ch`; };
  fit();
  window.addEventListener("tagmask:reviewer", (event) => { name.value = event.detail.name; fit(); });
  system.addEventListener("change", () => { if (theme === "auto") apply(theme); });
  const parts = [
    el("div", { class: "tm-wordmark", "aria-label": "Tagmask" },
      el("svg:svg", { viewBox: "0 0 20 20", "aria-hidden": "true" },
        el("svg:rect", { x: 1, y: 1, width: 18, height: 18, rx: 5, class: "mark-frame" }),
        el("svg:path", { d: "M4 13c1.5-5 3.5-7.2 6.2-7.2 3.6 0 2.6 4 5.8 4.2-.6 3.4-3 5.2-6 5.2-2.6 0-3.6-1.6-6-2.2Z", class: "mark-mask" })),
      el("span", {}, "Tagmask")),
    el("div", { class: "tm-header-gap" }),
    el("div", { class: "tm-workspace", title: "The workspace that is open" }, root.dataset.workspace),
    root.dataset.readOnly === "yes" ? el("span", { class: "tm-badge warn", title: "Look, compare, move sliders; nothing can be changed" }, "read-only") : null,
    login() ? loginChip(login()) : name,
    el("div", { class: "tm-theme", role: "group", "aria-label": "Theme" }, buttons),
  ];
  root.replaceChildren(...parts.filter(Boolean));
  choose(theme);
  followTabs();
  watchLogin();
}
