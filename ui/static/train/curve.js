// What a run told of itself, kept as curves: one point a step, superseded steps dropped.

const COUNTS = ["seq", "kind", "time", "step", "epoch"];
const ALONGSIDE = ["seq", "time", "step", "epoch", "seconds_left"];
const PACE = ["learning_rate", "images_per_second"];
/** What a look at the network found, by the name of its curve, in per cent. */
const LOOKS = { validation_accuracy: ({ tag_accuracy: part }) => (part === null ? null : 100 * part), map_miou: ({ miou }) => miou, validation_miou: (found) => found.validation_miou, training_miou: (found) => found.training_miou, validation_max_f: ({ max_f: part }) => 100 * part, validation_s: ({ s_measure: part }) => 100 * part };

export class Curves {
  constructor() {
    this.series = new Map();
    this.marks = new Map();
    this.breaks = [];
    this.parts = new Set();
    this.lastStep = 0;
  }

  /** Takes in rows of progress (`columns` name their places) and the events between them. */
  add({ columns, points, told }) {
    const at = Object.fromEntries(columns.map((name, index) => [name, index]));
    const events = told.filter((event) => ["attempt", "epoch", "metric", "validation"].includes(event.kind));
    for (const name of columns) if (![...ALONGSIDE, ...PACE, "total"].includes(name)) this.parts.add(name);
    let next = 0;
    for (const row of points) {
      while (next < events.length && events[next].seq < row[at.seq]) this.#event(events[next++]);
      const step = row[at.step];
      if (!Number.isFinite(step)) continue;
      // A resumed run goes back to its checkpoint: what came after that did not count.
      if (step <= this.lastStep) this.#dropFrom(step);
      this.lastStep = step;
      for (const name of columns) {
        if (!ALONGSIDE.includes(name) && row[at[name]] !== null) this.#push(this.series, name, { x: step, y: row[at[name]], time: row[at.time] });
      }
    }
    while (next < events.length) this.#event(events[next++]);
  }

  #event(event) {
    if (event.kind === "attempt") {
      if (event.number > 1 && this.lastStep) this.breaks.push(this.lastStep);
      return;
    }
    const step = event.step ?? this.lastStep;
    if (event.kind === "validation") return this.#look(event);
    if (typeof event.name === "string" && Number.isFinite(event.value)) {
      this.#push(this.marks, event.name, { x: step, y: event.value, time: event.time });
      return;
    }
    for (const [name, value] of Object.entries(event)) {
      if (COUNTS.includes(name) || !Number.isFinite(value)) continue;
      this.#push(this.marks, event.kind === "epoch" && name === "loss" ? "total" : name, { x: step, y: value, time: event.time, epoch: event.epoch });
    }
  }

  /** A look may be taken again after a resume, before a step of progress tells of it. */
  #look(event) {
    for (const [name, percent] of Object.entries(LOOKS)) {
      const points = this.series.get(name) ?? [];
      while (points.length && points.at(-1).x >= event.step) points.pop();
      const y = percent(event);
      if (Number.isFinite(y)) this.#push(this.series, name, { x: event.step, y, time: event.time, images: event.images, threshold: event.threshold, over: event.looked_at });
    }
  }

  #push(map, name, point) {
    if (!map.has(name)) map.set(name, []);
    map.get(name).push(point);
  }

  #dropFrom(step) {
    for (const map of [this.series, this.marks]) {
      for (const points of map.values()) while (points.length && points.at(-1).x >= step) points.pop();
    }
  }

  /** What can be drawn, the loss first. */
  names() {
    const names = new Set([...this.series.keys(), ...this.marks.keys()]);
    const first = ["total", "tag_accuracy", "miou", ...Object.keys(LOOKS)].filter((name) => names.delete(name));
    const last = PACE.filter((name) => names.delete(name));
    return [...first, ...names, ...last];
  }

  /** The curves of looks: [{name, points: [{x, y in per cent, images, threshold, over}]}]. */
  looks() {
    return Object.keys(LOOKS).filter((name) => this.series.get(name)?.length).map((name) => ({ name, points: this.series.get(name) }));
  }

  of(name) {
    return { points: this.series.get(name) ?? [], marks: this.marks.get(name) ?? [], breaks: this.breaks };
  }
}
