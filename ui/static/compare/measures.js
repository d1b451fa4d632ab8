// The measured images of a comparison: read as they come, and put in order by how much changed.

/** Calls on(line) for each line of JSON of a comparison; throws a sentence where it cannot be had. */
export async function readComparison({ a, b }, on, signal) {
  let response;
  try {
    response = await fetch(`/tagmask/api/compare?${new URLSearchParams({ a, b })}`, { headers: { "X-Tagmask": "1" }, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Check that app.py is still running, then try again.");
  }
  if (!response.ok) throw new Error((await response.json().catch(() => null))?.error ?? `The server answered ${response.status} without a reason.`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (held + value).split("\n");
    held = lines.pop();
    for (const line of lines) on(JSON.parse(line));
  }
  if (held) throw new Error("The server stopped in the middle of an answer. Its terminal says why; try again.");
}

export const IOU = "iou";

/** What both sides can be measured by, best known first: [[name, title]]. */
export function measuresOf(rows) {
  const scores = new Set();
  let truth = false;
  for (const { a, b } of rows) {
    truth ||= a.iou !== null && b.iou !== null;
    for (const name of Object.keys(a.scores)) if (name in b.scores) scores.add(name);
  }
  const known = ["SF", "SC", "AC", "CD", "P", "score"].filter((name) => scores.has(name));
  return [...(truth ? [[IOU, "IoU with the truth"]] : []), ...known.map((name) => [name, `Score ${name}`])];
}

/** Both values of a row, [A's, B's] in 0..1, or null; `classId` narrows the IoU to one class. */
export function valuesOf(row, measure, classId = null) {
  if (measure === IOU && classId !== null) {
    const found = row.classes?.find(([id]) => id === classId);
    return found ? [found[1], found[2]] : null;
  }
  if (measure !== IOU && classId !== null && !holds(row, classId)) return null;
  const values = measure === IOU ? [row.a.iou, row.b.iou] : [row.a.scores[measure], row.b.scores[measure]];
  return values.every((value) => value !== null && value !== undefined) ? values : null;
}

/** Whether a class is in the truth, or, without one, in a mask. */
export function holds(row, classId) {
  return (row.classes ?? row.between ?? []).some(([id]) => id === classId);
}

export const SORTS = {
  gain: ["Best in B first", (one, other) => other.change - one.change],
  loss: ["Worst in B first", (one, other) => one.change - other.change],
  change: ["Largest change", (one, other) => Math.abs(other.change) - Math.abs(one.change)],
  apart: ["Least alike", (one, other) => one.row.agreement - other.row.agreement],
  name: ["Name", () => 0],
};

/** The images in order: [{row, values, change}]; those that the measure does not know come last. */
export function ordered(rows, { measure, classId, sort }) {
  const known = [];
  const unknown = [];
  for (const row of rows) {
    if (classId !== null && !holds(row, classId)) continue;
    const values = measure ? valuesOf(row, measure, classId) : null;
    (values || sort === "apart" || sort === "name" ? known : unknown).push({ row, values, change: values ? values[1] - values[0] : 0 });
  }
  const by = SORTS[sort][1];
  const named = (one, other) => (one.row.name < other.row.name ? -1 : 1);
  return [...known.sort((one, other) => by(one, other) || named(one, other)), ...unknown.sort(named)];
}

/** 0.053 -> "+5.3", in points of a hundred. */
export function points(change) {
  const text = Math.abs(100 * change).toFixed(1);
  return text === "0.0" ? "0.0" : `${change > 0 ? "+" : "−"}${text}`;
}

/** A value as it is shown: IoU in per cent, a score as it is. */
export function shown(value, measure) {
  return measure === IOU ? (100 * value).toFixed(1) : value.toFixed(2);
}

/** A change as it is shown. */
export function shownChange(change, measure) {
  if (measure === IOU) return points(change);
  const text = Math.abs(change).toFixed(2);
  return text === "0.00" ? text : `${change > 0 ? "+" : "−"}${text}`;
}
