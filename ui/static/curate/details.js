// What is known of a candidate: tags, why it is here, scores explained, where it comes from.
import { el, formatNumber, getJSON, toast } from "../ui.js";
import { editingNote } from "../people/editing.js";
import { flagMark } from "./list.js";
import { shares } from "../masks.js";

// What each score is, its range, and which way is good.
const SCORES = {
  AC: ["Boundary accuracy", "How well the mask and its reference cover each other, 0 to 1; higher is better."],
  CD: ["Class distribution", "How well the classes in the mask match the image's tags, 0 to 1; higher is better."],
  SC: ["Coarse score", "AC × CD, the whole mask judged by its reference, 0 to 1; higher is better."],
  P: ["Predicted accuracy", "The boundary accuracy that the scorer network expects of such a mask, 0 to 1; higher is better."],
  SF: ["Fine score", "P × CD, the whole mask judged by the scorer network, 0 to 1; higher is better."],
};

/** Elements for the details panel; `labels` may still be null while the mask loads; `open`: the scores' sentences, the history stand open. */
export function detailsOf(row, setup, labels, { explained, history }, { onRevert }) {
  const known = new Map(setup.classes.map((each) => [each.id, each]));
  const chip = (id) => {
    const { name, colour } = known.get(id) ?? { name: `class ${id}`, colour: "#888888" };
    return el("span", { class: "cu-chip" }, el("i", { style: { background: colour } }), name);
  };
  const inMask = labels ? shares(labels).filter(([id]) => id !== 255) : [];
  return [
    el("header", {},
      el("h2", { title: row.image_name }, row.image_name),
      row.flagged ? flagMark() : null,
      row.verdict === "undecided" ? null : el("span", { class: `tm-badge ${tone(row.verdict)}`, title: row.reviewer ? `by ${row.reviewer}` : null }, `${row.verdict}${row.reviewer ? ` · ${row.reviewer}` : ""}`)),
    editingNote(row.image_id),
    section("Tags", row.tags.length ? el("div", { class: "cu-chips" }, row.tags.map(chip)) : el("p", { class: "tm-faint" }, "No tags yet.")),
    section("In the mask", inMask.length
      ? el("table", { class: "tm-table" }, inMask.map(([id, share]) => el("tr", {}, el("td", {}, chip(id)), el("td", { class: "number", title: "Share of the image's pixels" }, `${formatNumber(100 * share, 1)} %`))))
      : el("p", { class: "tm-faint" }, labels ? "Background only." : "Loading…")),
    section("Scores", scoresOf(row), aboutScores(row, explained), earlier(row)),
    section("Why here", el("p", {}, capital(row.why))),
    section("Made by", el("p", {}, row.method), el("p", { class: "tm-faint tm-mono", title: "sha256 of the mask that a decision names" }, `mask ${row.digest.slice(0, 12)}`),
      el("p", { class: "tm-faint" }, `${row.width} × ${row.height} pixels`)),
    historySection(row, history, onRevert),
  ];
}

/** Who did what to this image, read when it is opened. */
function historySection(row, open, onRevert) {
  const place = el("div", {});
  const show = async () => {
    if (!node.open || place.childElementCount) return;
    try {
      const { historyOf } = await import("./history.js");
      place.replaceChildren(await historyOf(row, { onRevert }));
    } catch (error) {
      toast(`The history could not be read: ${error.message}`, "bad");
    }
  };
  const node = el("details", { class: "cu-earlier cu-history", open, ontoggle: show }, el("summary", {}, "History of this image"), place);
  return node;
}

function scoresOf(row) {
  const known = Object.keys(SCORES).filter((name) => name in row.scores);
  if (!known.length) return el("p", { class: "tm-faint" }, "Not scored yet.");
  return el("table", { class: "tm-table" }, known.map((name) => {
    const [title, about] = SCORES[name];
    return el("tr", { title: about, dataset: { score: name }, "aria-describedby": `cu-about-${name}` },
      el("td", {}, el("span", { class: "cu-score-name" }, name), " ", title),
      el("td", { class: "cu-meter" }, el("i", { style: { width: `${100 * Math.min(1, row.scores[name])}%` } })),
      el("td", { class: "number" }, formatNumber(row.scores[name], 2)));
  }));
}

/** A sentence for each score that is shown: by touch and keyboard too, where nothing hovers. */
function aboutScores(row, explained) {
  const known = Object.keys(SCORES).filter((name) => name in row.scores);
  if (!known.length) return null;
  return el("details", { class: "cu-earlier cu-about", open: explained }, el("summary", {}, "What are these?"),
    el("dl", {}, known.map((name) => [el("dt", {}, name), el("dd", { id: `cu-about-${name}` }, SCORES[name][1])])));
}

/** Who gave which scores, read when it is opened: none is ever overwritten. */
function earlier(row) {
  if (!Object.keys(row.scores).length) return null;
  const list = el("ol", { class: "cu-scorings" });
  const show = async () => {
    if (!node.open || list.childElementCount) return;
    try {
      const { scorings } = await getJSON(`curate/scores/${row.id}`);
      list.replaceChildren(...scorings.map(({ run, scores, added }) => el("li", {},
        el("b", {}, run ?? "Inspect or import"), el("time", {}, new Date(added * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })),
        el("span", {}, Object.keys(SCORES).filter((name) => name in scores).map((name, i) => [i ? ", " : null, el("span", { class: "cu-scoring" }, `${name} ${formatNumber(scores[name], 2)}`)])))));
    } catch (error) {
      list.replaceChildren(el("li", {}, error.message));
    }
  };
  const node = el("details", { class: "cu-earlier", ontoggle: show }, el("summary", {}, "Who scored it, and when"), list);
  return node;
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
