// Agreement: each pair of reviewers by its verdicts and its masks, in all and class by class, and where they differ.
import { el, formatNumber, getJSON } from "../ui.js";

const ABOUT = {
  kappa: "Cohen's kappa of keeping or not the masks that both judged: 1 is complete agreement, 0 what chance alone would give, below 0 less than that",
  iou: "Mean IoU of the masks that both kept of the same image, class by class",
};

/** {element, load()}; `open(imageName)` looks at an image in Curate. */
export function agreementPart(open) {
  const table = el("table", { class: "tm-table pe-table" });
  const empty = el("p", { class: "tm-faint" });
  const apart = el("ol", { class: "pe-apart" });
  const differ = el("h3", {});
  const legend = el("p", { class: "tm-faint pe-legend", hidden: true },
    el("b", {}, "κ"), " is agreement beyond chance: 1 complete, 0 as by chance. ", el("b", {}, "IoU"), " is how far their masks overlap. Each reviewer's last word on a mask counts, and who fixed a mask did not keep it as it was.");
  const opened = new Set();

  async function load(classes) {
    const { verdicts, apart: different } = await getJSON("people/agreement");
    const pairs = paired(verdicts);
    draw(pairs, classes, null);
    showApart(different);
    const { masks } = await getJSON("people/agreement/masks");
    for (const each of masks) {
      if (!pairs.has(key(each))) pairs.set(key(each), { first: each.first, second: each.second, verdicts: new Map(), masks: new Map() });
      pairs.get(key(each)).masks.set(each.class_id, each);
    }
    draw(pairs, classes, true);
  }

  function draw(pairs, classes, measured) {
    empty.hidden = pairs.size > 0;
    empty.textContent = "No two people have judged the same mask yet. Share images out with some of them going to two, and how far they agree appears here.";
    table.hidden = legend.hidden = !pairs.size;
    const head = (text, title) => el("th", { class: "number", title, scope: "col" }, text);
    table.replaceChildren(
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Pair"), head("Judged", "Masks that both judged"), head("Alike", "Of these, how many both would keep or both would not"), head("κ", ABOUT.kappa), head("Kept", "Images of which both kept a mask, accepted or drawn"), head("IoU", ABOUT.iou))),
      ...[...pairs].flatMap(([name, pair]) => rows(name, pair, classes, measured)));
  }

  function rows(name, pair, classes, measured) {
    const own = classes.filter(({ id }) => pair.verdicts.has(id) || pair.masks.has(id));
    const body = el("tbody", { hidden: !opened.has(name) }, own.map(({ id, name: label, colour }) =>
      line(el("span", { class: "pe-class" }, el("i", { style: { background: colour } }), label), pair.verdicts.get(id), pair.masks.get(id), measured)));
    const toggle = el("button", {
      type: "button", class: "pe-pair", "aria-expanded": String(opened.has(name)), title: "Show it class by class",
      onclick: () => {
        body.hidden = !body.hidden;
        toggle.setAttribute("aria-expanded", String(!body.hidden));
        if (body.hidden) opened.delete(name); else opened.add(name);
      },
    }, `${pair.first} and ${pair.second}`);
    return [el("tbody", {}, line(toggle, pair.verdicts.get(null), pair.masks.get(null), measured)), body];
  }

  function showApart(different) {
    differ.hidden = !different.length;
    differ.textContent = `Judged differently (${formatNumber(different.length)}${different.length === 200 ? " or more" : ""})`;
    apart.replaceChildren(...different.map((each) => el("li", {},
      el("button", { type: "button", class: "pe-open", title: "Look at it in Curate", onclick: () => open(each.image_name) }, each.image_name),
      el("span", { class: "tm-faint" }, each.method), el("span", { class: "pe-gap" }),
      el("span", { class: "tm-badge good", title: "would keep it" }, each.keep.join(", ")), el("span", { class: "tm-badge bad", title: "would not" }, each.reject.join(", ")))));
  }

  return { element: el("div", { class: "pe-agreement" }, empty, table, legend, differ, apart), load };
}

/** A row of numbers; a dash with its reason where there is none. */
function line(label, judged, drawn, measured) {
  const number = (text, title) => el("td", { class: "number", title }, text);
  const alone = judged && judged.kappa === null ? "Not defined: both only ever said the same one thing, which chance would give as well" : null;
  const overlap = drawn ? formatNumber(drawn.iou, 2) : measured ? "–" : "…";
  return el("tr", {},
    el("th", { scope: "row" }, label),
    number(judged ? formatNumber(judged.masks) : "–"),
    number(judged ? formatNumber(judged.same) : "–", judged ? `${judged.both_keep} both keep, ${judged.neither} neither, ${judged.only_first} only ${judged.first}, ${judged.only_second} only ${judged.second}` : null),
    el("td", { class: "number pe-kappa", title: alone }, judged?.kappa == null ? "–" : [meter(judged.kappa), formatNumber(judged.kappa, 2).replace("-", "−")]),
    number(drawn ? formatNumber(drawn.images) : measured ? "–" : "…", drawn ? `${drawn.identical} of them with one and the same mask` : null),
    number(overlap));
}

function meter(kappa) {
  return el("span", { class: "pe-meter", "aria-hidden": "true" }, el("i", { style: { width: `${100 * Math.max(0, kappa)}%` } }));
}

function paired(verdicts) {
  const pairs = new Map();
  for (const each of verdicts) {
    if (!pairs.has(key(each))) pairs.set(key(each), { first: each.first, second: each.second, verdicts: new Map(), masks: new Map() });
    pairs.get(key(each)).verdicts.set(each.class_id, each);
  }
  return pairs;
}

function key({ first, second }) {
  return JSON.stringify([first, second]);
}
