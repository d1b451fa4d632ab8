// How well the scores of masks go with the true ones (SAL Fig. 9): every mask a point, the means of bins a line.
import { el, formatNumber, getJSON } from "../ui.js";

const RECIPES = ["scorer", "score"];
const TITLES = { SC: "Coarse score (SC)", SF: "Fine score (SF)" };
const STYLE = "/tagmask/static/train/calibration.css";
// The plot inside of its drawing, in the drawing's own units.
const SIDE = 240;
const [LEFT, TOP, RIGHT, BOTTOM] = [44, 8, 8, 40];
const GRID = [0, 0.25, 0.5, 0.75, 1];
const NAMED = [0, 0.5, 1];

export class Calibration {
  constructor() {
    if (!document.querySelector(`link[href="${STYLE}"]`)) document.head.append(el("link", { rel: "stylesheet", href: STYLE }));
    this.note = el("p", { class: "tr-cal-note tm-muted", role: "status" });
    this.body = el("div", { class: "tr-cal-body" });
    this.node = el("section", { class: "tr-calibration", "aria-label": "Calibration", hidden: true },
      el("header", {}, el("h3", {}, "Scores against the truth")), this.note, this.body);
    this.pick();
  }

  /** Forgets the last job's. */
  pick() {
    this.asked = "";
    this.node.hidden = true;
    this.body.replaceChildren();
  }

  /** Reads and draws what a finished run of the scorer or of scores found; of other runs there is nothing. */
  async show(job) {
    if (!RECIPES.includes(job.recipe)) return;
    const now = `${job.id} ${job.state} ${job.attempts} ${job.finished_at}`;
    if (this.asked === now) return;
    this.asked = now;
    if (job.state !== "done") {
      this.node.hidden = true;
      return;
    }
    try {
      const { calibration, said } = await getJSON(`evaluation/${job.id}/calibration`);
      if (this.asked !== now) return;
      this.note.textContent = said ?? about(calibration);
      this.body.replaceChildren(...(calibration ? Object.entries(calibration.scores).map(([name, found]) => figure(name, found, calibration)) : []));
    } catch (error) {
      // It is asked for again with the next news of the job.
      if (this.asked !== now) return;
      this.asked = "";
      this.note.textContent = error.message;
    }
    this.node.hidden = false;
  }
}

function about({ masks, points }) {
  const drawn = points.truth.length;
  const all = `${formatNumber(masks)} ${masks === 1 ? "mask" : "masks"} with a true one beside it. A point is a mask, the line joins the means of up to ten bins of the score, the larger the dot the more masks are in it; on the dashed diagonal a score is what is true.`;
  return drawn < masks ? `${all} ${formatNumber(drawn)} of the points are drawn.` : all;
}

function figure(name, { pearson, spearman, bins }, { masks, points }) {
  const said = correlation(pearson, spearman);
  return el("figure", { class: "tr-cal-figure", dataset: { score: name } },
    el("h4", {}, TITLES[name]),
    drawing(name, points[name], points.truth, bins, `${TITLES[name]} on x against the true AC on y, of ${formatNumber(masks)} masks. ${said} The means of the bins stand in the table below.`),
    el("figcaption", {}, said),
    el("details", { class: "tr-cal-bins" }, el("summary", {}, "Bins as a table"), table(name, bins)));
}

function drawing(name, scores, truth, bins, words) {
  const x = (value) => (LEFT + SIDE * value).toFixed(1);
  const y = (value) => (TOP + SIDE * (1 - value)).toFixed(1);
  const text = (at, below, said, anchor) => el("svg:text", { x: at, y: below, "text-anchor": anchor }, said);
  const middle = TOP + SIDE / 2;
  const most = Math.max(...bins.map(({ count }) => count));
  return el("svg:svg", { viewBox: `0 0 ${LEFT + SIDE + RIGHT} ${TOP + SIDE + BOTTOM}`, role: "img", "aria-label": words },
    el("svg:path", { class: "grid", d: GRID.map((at) => `M${x(at)} ${y(0)}V${y(1)}M${x(0)} ${y(at)}H${x(1)}`).join("") }),
    el("svg:path", { class: "diagonal", d: `M${x(0)} ${y(0)}L${x(1)} ${y(1)}` }),
    // Strokes of no length with round ends are dots: one element, however many masks there are.
    el("svg:path", { class: "points", d: scores.map((score, i) => `M${x(score)} ${y(truth[i])}h0`).join("") }),
    el("svg:path", { class: "line", d: `M${bins.map((bin) => `${x(bin.score)} ${y(bin.truth)}`).join("L")}` }),
    bins.map((bin) => el("svg:circle", { cx: x(bin.score), cy: y(bin.truth), r: radius(bin.count, most) }, el("svg:title", {}, `${formatNumber(bin.count)} with ${name} ${range(bin)}: true AC ${formatNumber(bin.truth, 2)} on average`))),
    NAMED.flatMap((at) => [text(x(at), TOP + SIDE + 16, String(at), "middle"), text(LEFT - 6, TOP + SIDE * (1 - at) + 4, String(at), "end")]),
    text(x(0.5), TOP + SIDE + 34, name, "middle"),
    el("svg:text", { transform: `translate(12 ${middle}) rotate(-90)`, "text-anchor": "middle" }, "true AC"));
}

/** Of the dot of a bin: its area goes by how many masks are in it, as far as it can still be seen. */
function radius(count, most) {
  return Math.max(2, 7 * Math.sqrt(count / most)).toFixed(1);
}

function correlation(pearson, spearman) {
  if (pearson === null) return "All of these scores are the same, or all that is true of them, so nothing can be said of how they go together.";
  const ranks = spearman === null ? "" : `, of their ranks ${formatNumber(spearman, 2)} (Spearman)`;
  return `Correlation with the true AC: ${formatNumber(pearson, 2)} (Pearson)${ranks}.`;
}

function table(name, bins) {
  const head = (words) => el("th", { class: "number", scope: "col" }, words);
  return el("table", { class: "tm-table" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, name), head("Masks"), head(`Mean ${name}`), head("Mean true AC"))),
    el("tbody", {}, bins.map((bin) => el("tr", {}, el("th", { scope: "row" }, range(bin)), ...[formatNumber(bin.count), formatNumber(bin.score, 2), formatNumber(bin.truth, 2)].map((value) => el("td", { class: "number" }, value))))));
}

function range(bin) {
  return `${formatNumber(bin.from, 1)} to ${formatNumber(bin.to, 1)}`;
}
