// How far each reviewer is with what was given to them, and who edits an image right now.
import { api, el, formatNumber, may, reviewer, session, toast } from "../ui.js";
import { ago, newAction } from "./style.js";

/** {element, show(summary)}; `changed()` is called after assignments were taken back. */
export function progressList(changed) {
  const list = el("ul", { class: "pe-people", "aria-label": "Progress of each reviewer" });
  return {
    element: list,
    show({ reviewers, editing, read_only: readOnly }) {
      list.replaceChildren(...reviewers.map((each) => person(each, editing, readOnly ? null : changed)));
      if (!reviewers.length) list.replaceChildren(el("li", { class: "tm-faint" }, "Nobody has decided yet. Whoever does appears here."));
    },
  };
}

function person(each, editing, changed) {
  const { reviewer: name, images, shared, masks, judged, said, last } = each;
  const busy = editing.some((held) => held.reviewer === name);
  const share = masks ? judged / masks : 0;
  return el("li", { dataset: { reviewer: name } },
    el("div", { class: "pe-line" },
      el("b", { title: name }, name), name === reviewer() ? el("span", { class: "tm-faint" }, "you") : null,
      busy ? el("span", { class: "tm-badge info" }, "editing") : null,
      el("span", { class: "pe-gap" }),
      images ? el("span", { class: "pe-share" }, `${formatNumber(100 * share, 0)} %`) : null),
    images ? bar(share, `${judged} of ${masks} masks judged`) : null,
    el("div", { class: "pe-line tm-faint" },
      el("span", {}, images ? `${formatNumber(judged)} of ${count(masks, "mask")} judged` : `${count(said, "mask")} judged, nothing assigned`),
      el("span", { class: "pe-gap" }),
      last ? el("time", { title: `Last decided ${new Date(last * 1000).toLocaleString("en-GB")}` }, ago(last)) : null),
    images ? el("div", { class: "pe-line tm-faint" },
      el("span", {}, `${count(images, "image")}${shared ? `, ${formatNumber(shared)} shared` : ""}`),
      el("span", { class: "pe-gap" }),
      changed && may("trainer") ? el("button", { type: "button", class: "tm-button small quiet", "aria-label": `Withdraw what ${name} was assigned`, title: "Take the assignment back; what was judged stays", onclick: (event) => ask(event.currentTarget, name, images, changed) }, "Withdraw") : null) : null);
}

/** A second press does it: withdrawing is undone only by sharing out again. */
function ask(button, name, images, changed) {
  if (button.dataset.sure) return withdraw(button, name, changed);
  button.dataset.sure = "yes";
  button.textContent = `Withdraw ${count(images, "image")}?`;
  button.classList.add("danger");
  button.addEventListener("blur", () => {
    delete button.dataset.sure;
    button.textContent = "Withdraw";
    button.classList.remove("danger");
  }, { once: true });
  return undefined;
}

async function withdraw(button, name, changed) {
  button.disabled = true;
  try {
    const { images } = await api("people/withdraw", { whose: name, reviewer: reviewer(), session: session(), action_id: newAction() });
    toast(`${count(images, "image")} withdrawn from ${name}.`, "good");
    await changed();
  } catch (error) {
    button.disabled = false;
    toast(error.message, "warn");
  }
}

export function bar(share, label) {
  return el("div", { class: "pe-bar", role: "img", "aria-label": label }, el("i", { style: { width: `${100 * share}%` } }));
}

export function count(number, thing) {
  return `${formatNumber(number)} ${thing}${number === 1 ? "" : "s"}`;
}
