// What a finished run measured: IoU by class, the confusion table, the sweep over thresholds, and what differs from another run.
import { el, formatNumber, getJSON } from "../ui.js";

const TITLES = { predictions: "Predictions", labels: "Labels", maps: "Attention maps" };
const ENDED = ["done", "failed", "cancelled", "lost"];
const MOST_IMAGES = 8;
const STYLE = "/tagmask/static/train/evaluation.css";

export class Evaluation {
  /** `onRead()` hears that it is known whether there is something to compare with. */
  constructor(onRead = () => {}) {
    this.onRead = onRead;
    if (!document.querySelector(`link[href="${STYLE}"]`)) document.head.append(el("link", { rel: "stylesheet", href: STYLE }));
    this.part = el("select", { class: "tm-select", "aria-label": "What was measured", onchange: () => this.#choose() });
    this.other = el("select", { class: "tm-select", "aria-label": "Another run to compare with", onchange: () => this.#compare() });
    this.file = el("a", { class: "tm-button quiet small", title: "The same as a table", download: "" }, "CSV");
    this.note = el("p", { class: "tr-eval-note tm-muted", role: "status" });
    this.body = el("div", { class: "tr-eval-body" });
    this.node = el("section", { class: "tr-evaluation", "aria-label": "Evaluation", hidden: true },
      el("header", {}, el("h3", {}, "Evaluation"), this.part, this.other, this.file), this.note, this.body);
    this.pick();
  }

  /** Forgets the last job's. */
  pick() {
    this.asked = "";
    this.read = false;
    this.parts = {};
    this.others = [];
    this.other.hidden = true;
    this.against = null;
    this.node.hidden = true;
  }

  /** Reads what the job measured, once it has ended and again after each further attempt. */
  async show(job) {
    const now = `${job.id} ${job.state} ${job.attempts} ${job.finished_at}`;
    if (this.asked === now) return;
    this.asked = now;
    this.read = false;
    if (!ENDED.includes(job.state)) {
      this.node.hidden = true;
      return;
    }
    try {
      const { parts, others } = await getJSON(`evaluation/${job.id}`);
      if (this.asked !== now) return;
      Object.assign(this, { job: job.id, parts, others, against: null });
    } catch {
      // It is asked for again with the next news of the job.
      if (this.asked === now) this.asked = "";
      return;
    }
    const names = Object.keys(this.parts);
    this.node.hidden = !names.length;
    this.part.replaceChildren(...names.map((name) => el("option", { value: name }, TITLES[name] ?? name)));
    this.part.hidden = names.length < 2;
    if (names.length) this.#choose();
    this.read = true;
    this.onRead();
  }

  /** Whether there is another run to compare this one with. */
  get comparable() {
    return !this.node.hidden && !this.other.hidden;
  }

  /** Brings the comparison into view, with the newest of the other runs where none is chosen. */
  compare() {
    if (!this.comparable) return;
    if (!this.other.value) {
      this.other.selectedIndex = 1;
      this.#compare();
    }
    this.node.scrollIntoView({ block: "start" });
    this.other.focus();
  }

  #choose() {
    const name = this.part.value;
    const fitting = this.others.filter(({ parts }) => parts.includes(name));
    this.against = null;
    this.other.replaceChildren(el("option", { value: "" }, "Compare with …"), ...fitting.map(({ job, title }) => el("option", { value: job }, title)));
    this.other.hidden = !fitting.length;
    this.file.href = `/tagmask/api/evaluation/${this.job}/${name}.csv`;
    this.#draw();
  }

  async #compare() {
    const [job, name, chosen] = [this.job, this.part.value, this.other.value];
    this.against = null;
    if (chosen) {
      try {
        const { parts } = await getJSON(`evaluation/${chosen}`);
        if (job !== this.job || name !== this.part.value || chosen !== this.other.value) return;
        this.against = parts[name] ?? null;
      } catch (error) {
        this.note.textContent = error.message;
        return;
      }
    }
    this.#draw();
  }

  #draw() {
    const [found, before] = [this.parts[this.part.value], this.against];
    const compared = before ? pairs(before, found) : null;
    this.note.textContent = said(found, before, compared);
    this.body.replaceChildren(
      classes(found, compared && !compared.same ? null : before),
      ...(before ? [changes(compared)] : found.confusion ? [confusion(found.confusion)] : found.sweep?.length ? [sweep(found)] : []));
  }
}

/** The images of both, by how much better the second is; `same`: neither has others. */
function pairs(before, found) {
  const [one, two] = [before.by_image, found.by_image];
  if (!one || !two) return { same: before.of === found.of && before.images === found.images, images: [] };
  const images = Object.keys(two).filter((name) => name in one).map((name) => ({ name, before: one[name], after: two[name] }));
  images.sort((a, b) => b.after - b.before - (a.after - a.before) || (a.name < b.name ? -1 : 1));
  return { same: images.length === Object.keys(two).length && images.length === Object.keys(one).length, images };
}

function said(found, before, compared) {
  const of = found.of === "all" ? "" : ` of the list ${found.of}`;
  const sentences = [`${formatNumber(found.images)} image${found.images === 1 ? "" : "s"}${of} with a true mask: mIoU ${formatNumber(found.miou, 1)}%${found.boundary ? `, boundary mIoU ${formatNumber(found.boundary.miou, 1)}%` : ""}${found.threshold === null ? "" : ` at the threshold ${found.threshold}`}.`];
  if (found.missing?.length) sentences.push(`${found.missing.length} without a label map count as background.`);
  if (before && compared.same) sentences.push(`${signed(found.miou - before.miou)} against the other run.`);
  else if (before) sentences.push(`The other run was measured on other images: ${compared.images.length ? `only the ${compared.images.length} of both are compared` : "the two cannot be compared"}.`);
  return sentences.join(" ");
}

function classes(found, before) {
  const outlines = found.boundary?.iou;
  const change = (name) => (before && name in before.iou ? found.iou[name] - before.iou[name] : null);
  return el("div", { class: "tr-eval-classes" }, el("table", { class: "tm-table tr-figures" },
    el("thead", {}, el("tr", {}, el("th", {}, ""), el("th", { class: "tr-eval-bar" }, ""), el("th", { class: "number", scope: "col" }, "IoU"),
      outlines ? el("th", { class: "number", scope: "col", title: "Near the outlines alone" }, "boundary") : null,
      before ? el("th", { class: "number", scope: "col", title: "Of the IoU, against the other run" }, "change") : null)),
    el("tbody", {}, Object.entries(found.iou).map(([name, value]) => el("tr", {},
      el("th", { scope: "row", title: name }, name),
      el("td", { class: "tr-eval-bar" }, el("i", { style: { width: `${Math.max(0, Math.min(100, value))}%` } })),
      el("td", { class: "number" }, formatNumber(value, 1)),
      outlines ? el("td", { class: "number" }, formatNumber(outlines[name], 1)) : null,
      before ? el("td", { class: `number ${tone(change(name))}` }, signed(change(name))) : null)))));
}

/** In per cent of each true class; a cell is the darker the more of it was predicted so. */
function confusion({ classes: names, pixels }) {
  return el("div", { class: "tr-eval-confusion", tabindex: 0, role: "group", "aria-label": "Confusion table" }, el("table", {},
    el("caption", {}, "What the pixels of each true class (row) were predicted as, in per cent"),
    el("thead", {}, el("tr", {}, el("th", {}, ""), names.map((name) => el("th", { scope: "col", title: name }, el("span", {}, name))))),
    el("tbody", {}, names.map((name, row) => {
      const total = pixels[row].reduce((sum, count) => sum + count, 0);
      return total ? el("tr", {}, el("th", { scope: "row", title: name }, name), pixels[row].map((count, column) => {
        const share = (100 * count) / total;
        return el("td", { class: row === column ? "right" : "wrong", style: { "--share": `${share.toFixed(1)}%` }, title: `${name} predicted as ${names[column]}: ${formatNumber(count)} pixels, ${formatNumber(share, 1)}%` }, share >= 0.5 ? formatNumber(share, 0) : "");
      })) : null;
    }))));
}

/** mIoU over the threshold of the attention, its best marked. */
function sweep({ sweep: points, threshold, miou }) {
  const [width, height, edge] = [420, 200, 28];
  const top = Math.max(10, ...points.map(([, value]) => value)) * 1.1;
  const x = (value) => edge + (width - edge - 8) * value;
  const y = (value) => height - edge - ((height - edge - 8) * value) / top;
  const text = (at, below, words, anchor = "middle") => el("svg:text", { x: at, y: below, "text-anchor": anchor }, words);
  return el("figure", { class: "tr-eval-sweep" },
    el("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `mIoU by threshold, ${formatNumber(miou, 1)}% at ${threshold} the best` },
      el("svg:path", { class: "axis", d: `M${x(0)} ${y(top)}V${y(0)}H${x(1)}` }),
      el("svg:path", { class: "line", d: `M${points.map(([at, value]) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("L")}` }),
      el("svg:circle", { cx: x(threshold), cy: y(miou), r: 4 }),
      [0, 0.25, 0.5, 0.75, 1].map((at) => text(x(at), height - 10, String(at))),
      text(edge - 4, y(0), "0", "end"), text(edge - 4, y(top / 1.1) + 4, formatNumber(top / 1.1, 0), "end")),
    el("figcaption", { class: "tm-muted" }, "mIoU over the threshold at which attention counts as its tag"));
}

function changes({ images }) {
  const better = images.filter((one) => one.after > one.before);
  const worse = images.filter((one) => one.after < one.before).toReversed();
  const list = (title, some) => el("div", {}, el("h4", {}, `${formatNumber(some.length)} ${title}`), el("table", { class: "tm-table tr-figures" }, el("tbody", {},
    some.slice(0, MOST_IMAGES).map(({ name, before, after }) => el("tr", {}, el("th", { scope: "row", title: name }, name),
      el("td", { class: "number" }, `${formatNumber(before, 1)} → ${formatNumber(after, 1)}`),
      el("td", { class: `number ${tone(after - before)}` }, signed(after - before)))))));
  return el("div", { class: "tr-eval-changes" }, list("images better", better), list("worse", worse));
}

function signed(value) {
  return value === null ? "–" : `${value > 0 ? "+" : value < 0 ? "−" : "±"}${formatNumber(Math.abs(value), 1)}`;
}

function tone(value) {
  return value > 0.05 ? "up" : value < -0.05 ? "down" : "";
}
