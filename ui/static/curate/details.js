// What is known of a candidate: tags, why it is here, scores explained, where it comes from.
import { el, formatNumber } from "../ui.js";
import { shares } from "../masks.js";

const SCORES = {
  AC: ["Boundary accuracy", "How well the mask and the saliency reference cover each other, 0 to 1; higher is better."],
  CD: ["Class distribution", "How well the classes in the mask match the image's tags, 0 to 1; higher is better."],
  SC: ["Coarse score", "AC × CD: one number for the whole mask, 0 to 1; higher is better."],
  P: ["Fine accuracy", "The scorer network's estimate of boundary accuracy, 0 to 1; higher is better."],
  SF: ["Fine score", "P × CD, 0 to 1; higher is better."],
};

/** Elements for the details panel; `labels` may still be null while the mask loads. */
export function detailsOf(row, setup, labels) {
  const known = new Map(setup.classes.map((each) => [each.id, each]));
  const chip = (id) => {
    const { name, colour } = known.get(id) ?? { name: `class ${id}`, colour: "#888888" };
    return el("span", { class: "cu-chip" }, el("i", { style: { background: colour } }), name);
  };
  const inMask = labels ? shares(labels).filter(([id]) => id !== 255) : [];
  return [
    el("header", {},
      el("h2", { title: row.image_name }, row.image_name),
      row.verdict === "undecided" ? null : el("span", { class: `tm-badge ${tone(row.verdict)}`, title: row.reviewer ? `by ${row.reviewer}` : null }, `${row.verdict}${row.reviewer ? ` · ${row.reviewer}` : ""}`)),
    section("Tags", row.tags.length ? el("div", { class: "cu-chips" }, row.tags.map(chip)) : el("p", { class: "tm-faint" }, "No tags yet.")),
    section("In the mask", inMask.length
      ? el("table", { class: "tm-table" }, inMask.map(([id, share]) => el("tr", {}, el("td", {}, chip(id)), el("td", { class: "number", title: "Share of the image's pixels" }, `${formatNumber(100 * share, 1)} %`))))
      : el("p", { class: "tm-faint" }, labels ? "Background only." : "Loading…")),
    section("Scores", el("table", { class: "tm-table" }, Object.keys(SCORES).filter((name) => name in row.scores).map((name) =>
      el("tr", { title: SCORES[name][1] }, el("td", {}, SCORES[name][0], el("span", { class: "tm-faint" }, ` ${name}`)),
        el("td", { class: "cu-meter" }, el("i", { style: { width: `${100 * Math.min(1, row.scores[name])}%` } })),
        el("td", { class: "number" }, formatNumber(row.scores[name], 2)))))),
    section("Why here", el("p", {}, capital(row.why))),
    section("Made by", el("p", {}, row.method), el("p", { class: "tm-faint tm-mono", title: "sha256 of the mask that a decision names" }, `mask ${row.digest.slice(0, 12)}`),
      el("p", { class: "tm-faint" }, `${row.width} × ${row.height} pixels`)),
  ];
}

function section(title, ...children) {
  return el("section", {}, el("h3", {}, title), ...children);
}

function tone(verdict) {
  return { accept: "good", fix: "good", reject: "bad", skip: "warn" }[verdict] ?? "";
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
