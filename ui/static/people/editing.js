// Who edits an image right now, told beside it to everybody else who looks at it.
import { el, getJSON, reviewer, session } from "../ui.js";
import { style } from "./style.js";

const WAIT_MS = 400;
const FRESH_MS = 10_000;
const known = new Map();

/** A line that appears where somebody else, or another window, edits the image. */
export function editingNote(imageId) {
  const note = el("p", { class: "pe-busy", role: "status", hidden: true });
  const say = (lease) => {
    note.hidden = !lease;
    if (lease) note.textContent = lease.reviewer === reviewer() ? "You are editing this image in another window." : `${lease.reviewer} is editing this image now.`;
  };
  const last = known.get(imageId);
  if (last) say(last.lease);
  if (last && Date.now() - last.at < FRESH_MS) return note;
  // Whoever leafs through the queue asks for nothing; only who stays on an image.
  setTimeout(async () => {
    if (!note.isConnected) return;
    try {
      const [{ lease }] = await Promise.all([getJSON(`people/lease/${imageId}`, { session: session() }), style()]);
      known.clear();
      known.set(imageId, { lease, at: Date.now() });
      say(lease);
    } catch (error) {
      // Nobody is named then; the editor asks again before it opens, and says what is wrong.
      console.info(`Who edits image ${imageId} is not known: ${error.message}`);
    }
  }, WAIT_MS);
  return note;
}
