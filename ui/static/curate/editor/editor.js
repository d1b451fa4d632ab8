// The mask editor: opened over the Curate tab on the candidate in view, closed with a new version or with a draft.
import { el, getJSON, reviewer } from "../../ui.js";
import { fetchLabels } from "../../masks.js";
import { takeLease } from "../lease.js";
import { openDrafts } from "./drafts.js";
import { Drawing } from "./drawing.js";

/** Opens the editor for `tab.queue.current`; `tab.closed(answer)` hears of its end, with the server's answer or null. */
export async function openEditor(tab) {
  let drawing = null;
  const { id, image_id } = tab.queue.current;
  const onLost = (words) => drawing?.ending.lostLease(words);
  const lease = await takeLease(image_id, { onLost });
  if (!lease) return tab.closed(null);
  try {
    const [begun, drafts] = await Promise.all([getJSON(`fix/${id}`, { reviewer: reviewer() }), openDrafts(), styled()]);
    const [image, labels] = await Promise.all([photograph(begun.row), fetchLabels(begun.row.digest)]);
    drawing = new Drawing({ tab, lease, onLost, drafts, begun, image, labels });
    return await drawing.begin();
  } catch (error) {
    lease.release();
    throw error;
  }
}

async function photograph(row) {
  const response = await fetch(`/tagmask/files/${row.image_digest}`);
  if (!response.ok) throw new Error(`The photograph ${row.image_name} could not be loaded; is its file still in the workspace?`);
  return createImageBitmap(await response.blob(), { imageOrientation: "from-image" });
}

let sheet = null;

function styled() {
  sheet ??= new Promise((done) => {
    const link = el("link", { rel: "stylesheet", href: "/tagmask/static/curate/editor/editor.css" });
    link.onload = link.onerror = done;
    document.head.append(link);
  });
  return sheet;
}
