// The images with their tags; tags are edited in place.
import { api, el, formatNumber, getJSON, reviewer, toast } from "../ui.js";
import { lookAt } from "../tabs.js";

const PAGE = 50;

/** {element, load, filter(classId), setClasses(classes, readOnly)}. */
export function imageTable() {
  let [classes, readOnly, offset, serial] = [[], false, 0, 0];
  const query = el("input", { class: "tm-input", type: "search", placeholder: "Image name", "aria-label": "Part of the image's name", oninput: () => { clearTimeout(query.timer); query.timer = setTimeout(() => { offset = 0; load(); }, 200); } });
  const tag = el("select", { class: "tm-select", "aria-label": "Which tag", onchange: () => { offset = 0; load(); } });
  const said = el("span", { class: "tm-muted", role: "status" });
  const body = el("tbody");
  const turn = (label, by) => el("button", { class: "tm-button small", type: "button", onclick: () => { offset = Math.max(0, offset + by * PAGE); load(); } }, label);
  const [previous, next] = [turn("Previous", -1), turn("Next", 1)];
  const empty = el("div", { class: "tm-empty", hidden: true });

  async function load() {
    const mine = ++serial;
    let page;
    try {
      page = await getJSON("inspect/images", { query: query.value, tag: tag.value, offset, limit: PAGE });
    } catch (error) {
      toast(error.message, "bad");
      return;
    }
    if (mine !== serial) return;
    body.replaceChildren(...page.rows.map(row));
    said.textContent = page.total ? `${formatNumber(offset + 1)}–${formatNumber(offset + page.rows.length)} of ${formatNumber(page.total)}` : "";
    previous.disabled = offset === 0;
    next.disabled = offset + PAGE >= page.total;
    empty.hidden = page.total > 0;
    empty.replaceChildren(...(query.value || tag.value
      ? [el("h2", {}, "No image matches"), el("p", {}, "Clear the name or the tag above.")]
      : [el("h2", {}, "No images yet"), el("p", {}, "Drop photographs on the left. Then give each its tags here: what is in it, not where.")]));
  }

  function row(image) {
    const cell = el("td", { class: "da-tags" });
    const show = () => {
      cell.replaceChildren(
        ...image.tags.map((name) => chip(name, () => save(image.tags.filter((each) => each !== name)))),
        readOnly ? "" : adder((name) => save([...image.tags, name])));
    };
    const save = async (tags) => {
      try {
        image.tags = (await api("inspect/tags", { image: image.digest, tags, reviewer: reviewer() })).tags;
      } catch (error) {
        toast(error.message, "warn");
      }
      show();
    };
    show();
    return el("tr", { dataset: { name: image.name } },
      el("td", { class: "da-thumb" }, el("img", { src: `/tagmask/thumbs/${image.digest}?side=96`, alt: "", loading: "lazy", width: 48, height: 48 })),
      el("td", {}, el("button", { type: "button", class: "da-link", title: "Look at it in Inspect", onclick: () => lookAt(image.name) }, image.name),
        el("div", { class: "tm-faint" }, `${image.width} × ${image.height}${image.truth ? " · truth known" : ""}`)),
      cell);
  }

  function chip(name, remove) {
    const known = classes.find((each) => each.name === name);
    return el("span", { class: "da-chip" }, el("i", { style: { background: known?.colour ?? "#888" } }), name,
      readOnly ? null : el("button", { type: "button", "aria-label": `Remove the tag ${name}`, title: "Remove", onclick: remove }, "×"));
  }

  function adder(add) {
    const input = el("input", { class: "da-add", list: "da-class-names", placeholder: "+ tag", "aria-label": "Add a tag", autocomplete: "off",
      onchange: () => { const name = input.value.trim(); if (name) add(name); } });
    return input;
  }

  const names = el("datalist", { id: "da-class-names" });
  return {
    element: el("section", { class: "da-main", "aria-label": "Images" },
      el("div", { class: "da-bar" }, query, tag, el("span", { class: "da-grow" }), said, previous, next),
      el("div", { class: "da-scroll" },
        el("table", { class: "tm-table" }, el("thead", {}, el("tr", {}, el("th", {}), el("th", {}, "Image"), el("th", {}, "Tags"))), body), empty), names),
    load,
    filter(id) { tag.value = String(id); offset = 0; load(); },
    setClasses(given, off) {
      [classes, readOnly] = [given, off];
      const kept = tag.value;
      tag.replaceChildren(el("option", { value: "" }, "Any tag"), ...classes.map((each) => el("option", { value: each.id }, each.name)));
      tag.value = kept;
      names.replaceChildren(...classes.map((each) => el("option", { value: each.name })));
    },
  };
}
