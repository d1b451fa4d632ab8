// Sharing the images out: who reviews, what share goes to two, and what that would come to before it is done.
import { api, el, formatNumber, may, reviewer, session, toast } from "../ui.js";
import { newAction } from "./style.js";
import { count } from "./progress.js";

/** {element, show(summary)}; `changed()` is called after images were assigned. */
export function sharingForm(changed) {
  const names = [];
  const chips = el("div", { class: "pe-chips" });
  const entry = el("input", {
    class: "tm-input", placeholder: "Add a name", "aria-label": "Name of a reviewer to add", maxlength: 64, list: "pe-known", autocomplete: "off",
    onkeydown: (event) => { if (["Enter", ","].includes(event.key) && entry.value.trim()) { event.preventDefault(); add(entry.value); } },
    onchange: () => { if (entry.value.trim()) add(entry.value); },
  });
  const known = el("datalist", { id: "pe-known" });
  const overlap = el("input", { type: "range", min: 0, max: 100, step: 5, value: 20, "aria-label": "Share of the images that goes to two reviewers", oninput: () => { told(); soon(); } });
  const percent = el("output", {});
  const tag = el("select", { class: "tm-select", "aria-label": "Only images with this tag", onchange: () => soon() });
  const seed = el("input", { class: "tm-input", type: "number", step: 1, value: 0, "aria-label": "Seed", title: "Another seed shares them out otherwise; the same one always alike", oninput: () => soon() });
  const plan = el("p", { class: "pe-plan", role: "status" });
  const give = el("button", { class: "tm-button primary", type: "submit" }, "Share out");
  let off = false;
  let none = null;
  let turn = 0;
  let timer = null;

  const body = () => ({
    reviewers: names, overlap: names.length > 1 ? Number(overlap.value) / 100 : 0, seed: Math.trunc(Number(seed.value)) || 0, tag: tag.value ? Number(tag.value) : null,
    reviewer: reviewer(), session: session(), action_id: newAction(),
  });
  function told() { percent.textContent = `${overlap.value} %`; }
  function add(name) {
    entry.value = "";
    const clean = name.trim().replace(/,$/, "").trim();
    if (!clean || names.some((each) => each.toLowerCase() === clean.toLowerCase())) return;
    names.push(clean);
    draw();
  }
  function draw() {
    chips.replaceChildren(...names.map((name) => el("span", { class: "pe-chip" }, name,
      el("button", { type: "button", "aria-label": `Leave ${name} out`, title: "Leave out", onclick: () => { names.splice(names.indexOf(name), 1); draw(); entry.focus(); } }, "✕"))));
    overlap.disabled = off || names.length < 2;
    soon();
  }
  function soon() { clearTimeout(timer); timer = setTimeout(preview, 150); }

  /** What it would come to, by the server's own reckoning. */
  async function preview() {
    const mine = ++turn;
    give.disabled = true;
    if (off || none || !names.length) {
      plan.textContent = off || none || "Name whoever reviews; a share of the images to two of them makes agreement measurable.";
      return;
    }
    try {
      const { shares } = await api("people/assign", { ...body(), dry_run: true });
      if (mine !== turn) return;
      plan.replaceChildren(...shares.flatMap((each, i) => [i ? " · " : null, el("b", {}, each.reviewer), ` ${count(each.images, "image")}${each.shared ? `, ${formatNumber(each.shared)} shared` : ""}`]).filter(Boolean));
      give.disabled = false;
    } catch (error) {
      if (mine === turn) plan.textContent = error.message;
    }
  }

  const form = el("form", { class: "pe-form", onsubmit: async (event) => {
    event.preventDefault();
    give.disabled = true;
    try {
      const { shares } = await api("people/assign", body());
      toast(`Shared out: ${shares.map((each) => `${each.reviewer} ${count(each.images, "image")}`).join(", ")}. Each finds theirs in Curate under “Assigned to me”.`, "good");
      await changed();
    } catch (error) {
      toast(error.message, "warn");
    }
    preview();
  } },
    el("div", { class: "pe-names" }, chips, entry, known),
    el("label", { class: "pe-field" }, el("span", {}, "To two of them"), overlap, percent),
    el("div", { class: "pe-two" }, el("label", {}, el("span", {}, "Images"), tag), el("label", {}, el("span", {}, "Seed"), seed)),
    plan, give);
  told();
  return {
    element: form,
    show({ reviewers, classes, open, read_only: readOnly }) {
      none = open ? null : "Every image that waits for a judgement is somebody's already. Withdraw some first, or offer candidates for more images.";
      off = readOnly ? "This workspace is open read-only; nothing can be shared out." : may("trainer") ? false : "Only a trainer shares images out.";
      for (const input of [entry, tag, seed]) input.disabled = Boolean(off);
      known.replaceChildren(...reviewers.map((each) => el("option", { value: each.reviewer })));
      const chosen = tag.value;
      tag.replaceChildren(el("option", { value: "" }, "All that wait"), ...classes.map((each) => el("option", { value: each.id }, each.name)));
      tag.value = chosen;
      if (!names.length) for (const each of reviewers) if (each.images || each.said) names.push(each.reviewer);
      draw();
    },
  };
}
