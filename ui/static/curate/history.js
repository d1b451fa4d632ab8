// The history of an image: who did what to it, when, to which mask; and going back, which adds to it.
import { el, getJSON, may, reviewer, session } from "../ui.js";
import { palette } from "../masks.js";
import { style } from "../people/style.js";
import { flagMark } from "./list.js";
import { paintThumb } from "./strip.js";

const MARK = { image: "+", candidate: "◇", assignment: "→", tags: "#" };

/**
 * The events of a candidate's image, the newest first; rejects with a sentence where they cannot be read.
 * `onRevert(path, body)` sends a revert on its way, through the outbox; what comes of it, the page reads anew.
 */
export async function historyOf(row, { onRevert } = {}) {
  const [told] = await Promise.all([getJSON(`people/history/${row.image_id}`, { reviewer: reviewer() }), style()]);
  const hidden = told.withheld.length
    ? el("li", { class: "tm-faint" }, `This image is ${told.withheld.join("'s and ")}'s to judge as well; what they said of it is shown once you have judged it.`)
    : null;
  return el("ol", { class: "pe-events", "aria-label": `History of ${row.image_name}` }, hidden, told.events.toReversed().map((event) => entry(event, told, row, onRevert)));
}

function entry(event, told, row, onRevert) {
  const at = new Date(event.at * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  const back = { before: ["Take back", `Make it what it was before: adds an event, removes none`], after: ["Bring back", "Make it so again: adds an event, removes none"] }[event.back_to];
  const canvas = event.mask_digest ? el("canvas", { width: 72, height: 54, title: `mask ${event.mask_digest.slice(0, 12)}`, role: "img", "aria-label": `mask ${event.mask_digest.slice(0, 12)}` }) : null;
  if (canvas) {
    paintThumb(canvas, { image_digest: row.image_digest, digest: event.mask_digest }, palette(told.classes)).catch(() => canvas.remove());
  }
  return el("li", { class: event.verdict ?? event.kind, dataset: { event: event.key, current: String(event.current) } },
    el("i", { class: `pe-mark ${event.verdict ?? ""}`, "aria-hidden": "true" }, event.kind === "flag" ? flagMark() : MARK[event.kind]),
    el("div", { class: "pe-told" },
      el("p", {}, el("b", {}, event.by), ` ${event.says}`, event.note ? el("span", { class: "tm-faint" }, ` “${event.note}”`) : null),
      el("p", { class: "tm-faint pe-line" }, el("time", {}, at), event.current ? el("span", { class: "pe-now", title: "Of this aspect of the image, this is what holds now" }, "counts now") : null,
        back && onRevert && !told.read_only && may("reviewer")
          ? el("button", {
            type: "button", class: "tm-button small quiet", title: back[1], "aria-label": `${back[0]}: ${event.by} ${event.says}`,
            onclick: (click) => {
              click.currentTarget.disabled = true;
              onRevert("people/revert", { image: row.image_id, key: event.key, to: event.back_to, seen: currentOf(event, told), ...drawnKnown(told), reviewer: reviewer(), session: session() });
            },
          }, back[0]) : null)),
    canvas);
}

/** The newest drawn mask that this history shows to stand: one that came since is not passed over unseen. Who is to judge unhinted is not asked. */
function drawnKnown({ events, withheld }) {
  if (withheld.length) return {};
  const drawn = events.filter((each) => each.current && each.method === "fixed" && ["fix", "accept"].includes(each.verdict));
  return { fixed: drawn.length ? Math.max(...drawn.map((each) => each.candidate_id)) : null };
}

/** The event that holds now for the same thing: what somebody changed since is not overwritten unseen. */
function currentOf(event, { events }) {
  return events.find((each) => each.current && each.aspect === event.aspect)?.key ?? event.key;
}
