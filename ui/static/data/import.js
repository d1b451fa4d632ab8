// Bringing things in: photographs a few at a time, an archive in pieces, or by the command line.
import { barred, el, formatNumber, reviewer, toast, upload } from "../ui.js";
import { archiveCard } from "./archive.js";

const AT_ONCE = 24;
const BYTES_AT_ONCE = 48 * 2 ** 20;
const SHOWN = 30;

/** {element, setReadOnly}; calls done() after photographs came in and started() after an archive began to. */
export function importBox(done, started) {
  const picker = el("input", { type: "file", multiple: true, accept: "image/*,.zip", class: "tm-visually-hidden", id: "da-files", onchange: () => take([...picker.files]) });
  const results = el("ul", { class: "da-results", role: "status", "aria-live": "polite" });
  const archives = el("div", {});
  const zone = el("label", { class: "da-drop", for: "da-files", tabindex: 0 },
    el("b", {}, "Drop photographs or a zip"), el("span", { class: "tm-faint" }, "or click to choose; JPEG, PNG, WebP, TIFF, BMP, GIF"), picker);
  zone.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); picker.click(); } });
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); zone.classList.remove("over"); take([...event.dataTransfer.files]); });

  function take(files) {
    picker.value = "";
    if (!files.length || zone.classList.contains("off")) return;
    if (files.length === 1 && /\.zip$/i.test(files[0].name)) {
      results.replaceChildren();
      archives.replaceChildren(archiveCard(files[0], { started, closed: () => archives.replaceChildren() }));
    } else send(files);
  }

  async function send(files) {
    zone.classList.add("busy");
    const stop = new AbortController();
    const bar = el("progress", { max: files.length, value: 0, "aria-label": "Photographs sent" });
    const said = el("span", {}, `Sending ${formatNumber(files.length)} ${files.length === 1 ? "file" : "files"}…`);
    results.replaceChildren(el("li", { class: "da-sending" }, said, bar,
      el("button", { type: "button", class: "tm-button small", onclick: () => stop.abort() }, "Stop")));
    const sum = { added: 0, duplicate: 0, refused: 0 };
    const notes = [];
    let sentence = "";
    let sent = 0;
    try {
      for (const group of groups(files)) {
        const form = new FormData();
        for (const file of group) form.append("files", file);
        form.append("reviewer", reviewer());
        const answer = await upload("upload", form, { signal: stop.signal });
        for (const key of Object.keys(sum)) sum[key] += answer.counts[key] ?? 0;
        notes.push(...answer.results.filter((each) => each.outcome !== "added"));
        sent += group.length;
        bar.value = sent;
        said.textContent = `${formatNumber(sent)} of ${formatNumber(files.length)} sent`;
        sentence = sent === group.length && sent === files.length ? answer.sentence : summed(sum);
      }
    } catch (error) {
      sentence = `Stopped after ${formatNumber(sent)} of ${formatNumber(files.length)}: ${summed(sum)} Drop them again to go on; nothing comes in twice.`;
      if (error.name !== "AbortError") toast(error.message, "bad");
      if (!sent && error.name !== "AbortError") sentence = "";
    } finally {
      zone.classList.remove("busy");
    }
    results.replaceChildren(
      ...(sentence ? [el("li", { class: "da-sum" }, sentence)] : []),
      ...notes.slice(0, SHOWN).map((each) => el("li", { class: each.outcome }, each.sentence)),
      ...(notes.length > SHOWN ? [el("li", {}, `and ${formatNumber(notes.length - SHOWN)} more`)] : []));
    await done();
  }

  const element = el("section", { "aria-label": "Bring in" }, el("h3", {}, "Bring in"), zone, archives, results,
    el("details", {}, el("summary", {}, "Whole data sets"),
      el("p", {}, "A zip may hold a Pascal VOC devkit, a folder with tags.csv, COCO’s or Label Studio’s JSON or CVAT’s XML beside the images, folders named after what is in them, or a bundle of another workspace. From a folder of this machine:"),
      el("pre", { class: "tm-mono" }, "python -m backend import WORKSPACE FOLDER")));
  return {
    element,
    setReadOnly(readOnly) {
      const why = barred("trainer");
      const off = readOnly || why !== "";
      zone.classList.toggle("off", off);
      picker.disabled = off;
      zone.title = why;
    },
  };
}

function* groups(files) {
  let group = [];
  let bytes = 0;
  for (const file of files) {
    if (group.length && (group.length === AT_ONCE || bytes + file.size > BYTES_AT_ONCE)) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(file);
    bytes += file.size;
  }
  if (group.length) yield group;
}

function summed(sum) {
  const parts = [[sum.added, "added"], [sum.duplicate, "here already"], [sum.refused, "refused"]];
  const said = parts.filter(([count]) => count).map(([count, what]) => `${formatNumber(count)} ${what}`);
  return said.length ? `${said.join(", ")}.` : "Nothing came in.";
}
