// The strip of the workspace's images: search, pages, and the place to drop new ones.
import { el, formatNumber, getJSON, reviewer, toast, upload } from "../ui.js";

const PAGE = 45;

export class Images {
  /** `onChoose(image)`; `dotsOf(image)` are the colours of its tags. */
  constructor({ onChoose, dotsOf, readOnly }) {
    this.onChoose = onChoose;
    this.dotsOf = dotsOf;
    this.rows = [];
    this.total = null;
    this.offset = 0;
    this.current = null;
    this.asked = 0;
    this.search = el("input", {
      class: "tm-input", type: "search", placeholder: "Search images", "aria-label": "Search images by name",
      oninput: () => { clearTimeout(this.waiting); this.waiting = setTimeout(() => this.load(0), 160); },
    });
    this.list = el("div", { class: "tmv-thumbs", role: "listbox", "aria-label": "Images of the workspace", tabindex: "0", onkeydown: (event) => this.#key(event) });
    this.count = el("span", { class: "tm-faint", title: "Which images are shown, of how many that match" });
    this.back = el("button", { type: "button", class: "tm-button quiet small icon", title: "Earlier images", "aria-label": "Earlier images", onclick: () => this.load(this.offset - PAGE) }, "‹");
    this.forth = el("button", { type: "button", class: "tm-button quiet small icon", title: "Later images", "aria-label": "Later images", onclick: () => this.load(this.offset + PAGE) }, "›");
    this.report = el("div", { class: "tmv-report", hidden: true });
    this.drop = readOnly ? null : this.#dropZone();
    this.root = el("section", { class: "tmv-section tmv-images", "aria-label": "Images" },
      this.search, this.list, el("div", { class: "tmv-pager" }, this.back, this.count, this.forth), this.drop, this.report);
  }

  /** Shows the page that begins at `offset`. */
  async load(offset = 0) {
    const ask = ++this.asked;
    const page = await getJSON("inspect/images", { offset: Math.max(0, offset), limit: PAGE, query: this.search.value.trim() });
    if (ask !== this.asked) return;
    if (JSON.stringify([page.rows, page.total, page.offset]) === JSON.stringify([this.rows, this.total, this.offset])) return;
    Object.assign(this, { rows: page.rows, total: page.total, offset: page.offset });
    this.render();
  }

  render() {
    this.list.replaceChildren(...this.rows.map((image) => this.#thumb(image)));
    if (!this.rows.length) {
      this.list.replaceChildren(el("p", { class: "tmv-none" }, this.search.value ? "No image has this in its name." : `No images yet.${this.drop ? " Drop some below." : ""}`));
    }
    const last = this.offset + this.rows.length;
    this.count.textContent = this.total ? `${formatNumber(this.offset + 1)}–${formatNumber(last)} of ${formatNumber(this.total)}` : "0 images";
    this.back.disabled = this.offset === 0;
    this.forth.disabled = last >= this.total;
  }

  /** Marks an image as the one shown and takes over what changed in it. */
  select(image) {
    this.current = image;
    this.rows = this.rows.map((row) => (row.id === image.id ? image : row));
    for (const node of this.list.children) {
      const chosen = node.dataset.id === String(image.id);
      node.setAttribute("aria-selected", String(chosen));
      if (chosen) {
        node.querySelector(".tmv-dots")?.replaceWith(this.#dots(image));
        node.scrollIntoView({ block: "nearest" });
      }
    }
  }

  /** Chooses the neighbour of the image shown, over the edge of the page where needed. */
  async step(by) {
    const at = this.rows.findIndex((row) => row.id === this.current?.id) + by;
    if (at < 0 && this.offset > 0) { await this.load(this.offset - PAGE); this.onChoose(this.rows.at(-1)); }
    else if (at >= this.rows.length && this.offset + this.rows.length < this.total) { await this.load(this.offset + PAGE); this.onChoose(this.rows[0]); }
    else if (this.rows[at]) this.onChoose(this.rows[at]);
  }

  /** Sends files to the workspace, some at a time, and says what became of each. */
  async send(files) {
    if (!files.length || !this.drop) return;
    const words = this.drop.querySelector("span");
    const all = { results: [], counts: { added: 0, duplicate: 0, refused: 0 } };
    this.drop.classList.add("busy");
    try {
      for (const some of batches(files)) {
        const done = all.results.length;
        words.textContent = files.length === 1 ? `Taking in ${files[0].name} …` : `Taking in ${formatNumber(done + 1)} to ${formatNumber(done + some.length)} of ${formatNumber(files.length)} …`;
        const form = new FormData();
        for (const file of some) form.append("files", file, file.name);
        form.append("reviewer", reviewer());
        const answer = await upload("upload", form);
        all.results.push(...answer.results);
        for (const name of Object.keys(all.counts)) all.counts[name] += answer.counts[name];
      }
    } catch (error) {
      toast(error.message, "bad");
    }
    this.drop.classList.remove("busy");
    words.replaceChildren(...DROP_WORDS());
    if (!all.results.length) return;
    this.#tell(all);
    if (all.counts.added) {
      this.search.value = "";
      await this.load(Math.max(0, Math.floor(((this.total ?? 0) + all.counts.added - 1) / PAGE) * PAGE));
    }
    const first = all.results.find((result) => result.image);
    if (first) this.onChoose(await getJSON("inspect/image", { name: first.image.name }));
  }

  /** Opens the system's file chooser. */
  browse() {
    this.input?.click();
  }

  #thumb(image) {
    const node = el("div", {
      class: "tmv-thumb", role: "option", "aria-selected": String(image.id === this.current?.id), dataset: { id: image.id },
      title: `${image.name}, ${image.width} × ${image.height}${image.tags.length ? `, ${image.tags.join(", ")}` : ", no tags yet"}`,
      onclick: () => this.onChoose(image),
    }, el("img", { src: `/tagmask/thumbs/${image.digest}?side=192`, alt: image.name, loading: "lazy", decoding: "async", draggable: "false" }), this.#dots(image));
    return node;
  }

  #dots(image) {
    return el("span", { class: "tmv-dots" }, this.dotsOf(image).slice(0, 5).map((colour) => el("i", { style: { background: colour } })));
  }

  #key(event) {
    const across = getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
    if (!by) return;
    event.preventDefault();
    this.step(by);
  }

  #dropZone() {
    const input = this.input = el("input", { type: "file", multiple: true, accept: "image/*,.zip,application/zip", class: "tm-visually-hidden", tabindex: "-1", "aria-hidden": "true", onchange: () => { this.send([...input.files]); input.value = ""; } });
    const zone = el("button", { type: "button", class: "tmv-drop", title: "One or many photographs, or a zip of them", onclick: () => input.click() }, el("span", {}, DROP_WORDS()));
    const holder = el("div", { class: "tmv-drop-holder" }, zone, input);
    return holder;
  }

  #tell(answer) {
    const refused = answer.results.filter((result) => result.outcome !== "added");
    const { added, duplicate, refused: bad } = answer.counts;
    const sentence = [added && `${formatNumber(added)} added`, duplicate && `${formatNumber(duplicate)} here already`, bad && `${formatNumber(bad)} refused`].filter(Boolean).join(", ");
    toast(`${sentence}.`, bad ? "warn" : "good");
    this.report.hidden = !refused.length;
    this.report.replaceChildren(
      el("div", { class: "tmv-report-head" }, el("strong", {}, sentence),
        el("button", { type: "button", class: "tm-button quiet small icon", "aria-label": "Close", title: "Close", onclick: () => { this.report.hidden = true; } }, "✕")),
      el("ul", {}, refused.map((result) => el("li", { class: result.outcome }, result.sentence))),
    );
  }
}

// A server takes a thousand files at once; fewer keep the count moving.
const MOST_FILES = 40;
const MOST_BYTES = 100e6;

/** The files in groups that one request can carry. */
function batches(files) {
  const groups = [[]];
  let bytes = 0;
  for (const file of files) {
    const group = groups.at(-1);
    if (group.length && (group.length === MOST_FILES || bytes + file.size > MOST_BYTES)) {
      groups.push([file]);
      bytes = file.size;
    } else {
      group.push(file);
      bytes += file.size;
    }
  }
  return groups;
}

function DROP_WORDS() {
  return [el("b", {}, "Drop photographs or a zip"), el("br"), "or browse"];
}

/** Lets files be dropped anywhere on `root`. */
export function dropAnywhere(root, onFiles) {
  let depth = 0;
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  root.addEventListener("dragenter", (event) => { if (hasFiles(event)) { depth++; root.classList.add("dropping"); } });
  root.addEventListener("dragleave", (event) => { if (hasFiles(event) && --depth <= 0) { depth = 0; root.classList.remove("dropping"); } });
  root.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  root.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    root.classList.remove("dropping");
    onFiles([...event.dataTransfer.files]);
  });
}
