// Bringing photographs in: dropped, chosen, or by the command line.
import { el, formatNumber, reviewer, toast, upload } from "../ui.js";

/** {element, setReadOnly}; calls done() after an upload. */
export function importBox(done) {
  const picker = el("input", { type: "file", multiple: true, accept: "image/*,.zip", class: "tm-visually-hidden", id: "da-files", onchange: () => send([...picker.files]) });
  const results = el("ul", { class: "da-results", role: "status", "aria-live": "polite" });
  const zone = el("label", { class: "da-drop", for: "da-files", tabindex: 0 },
    el("b", {}, "Drop photographs or a zip"), el("span", { class: "tm-faint" }, "or click to choose; JPEG, PNG, WebP, TIFF, BMP, GIF"), picker);
  zone.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); picker.click(); } });
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); zone.classList.remove("over"); send([...event.dataTransfer.files]); });

  async function send(files) {
    if (!files.length || zone.classList.contains("off")) return;
    zone.classList.add("busy");
    results.replaceChildren(el("li", {}, `Sending ${formatNumber(files.length)} ${files.length === 1 ? "file" : "files"}…`));
    const form = new FormData();
    for (const file of files) form.append("files", file);
    form.append("reviewer", reviewer());
    try {
      const answer = await upload("upload", form);
      const refused = answer.results.filter((each) => each.outcome !== "added");
      results.replaceChildren(
        el("li", { class: "da-sum" }, answer.sentence),
        ...refused.slice(0, 30).map((each) => el("li", { class: each.outcome }, each.sentence)));
      await done();
    } catch (error) {
      results.replaceChildren();
      toast(error.message, "bad");
    } finally {
      zone.classList.remove("busy");
      picker.value = "";
    }
  }

  const element = el("section", {}, el("h3", {}, "Bring in"), zone, results,
    el("details", {}, el("summary", {}, "Whole data sets"),
      el("p", {}, "A zip of a Pascal VOC devkit, or of a folder with tags.csv, brings its tags and true masks along. More than 10,000 files at once come in by the command line:"),
      el("pre", { class: "tm-mono" }, "python -m backend import WORKSPACE FOLDER")));
  return {
    element,
    setReadOnly(off) {
      zone.classList.toggle("off", off);
      picker.disabled = off;
      zone.title = off ? "This workspace is open read-only" : "";
    },
  };
}
