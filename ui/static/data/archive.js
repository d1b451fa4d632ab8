// One zip on its way in: what its masks are, then its pieces, which go on where they broke off.
import { api, el, formatNumber, reviewer, toast } from "../ui.js";

const PATIENCE = 1500;
const TRIES = 5;

/** An element for a chosen zip; started() once the server brings it in, closed() when it is gone. */
export function archiveCard(file, { started, closed }) {
  const stop = new AbortController();
  const choice = (value, label, note, checked = false) => el("label", { class: "da-choice" },
    el("input", { type: "radio", name: "da-masks", value, checked, onchange: shown }), el("span", {}, label, el("span", { class: "tm-faint" }, note)));
  const called = el("input", { class: "tm-input", value: "imported", maxlength: 40, "aria-label": "What to call the source of these masks" });
  const folders = el("input", { type: "checkbox" });
  const go = el("button", { type: "submit", class: "tm-button primary" }, "Bring in");
  const bar = el("progress", { max: file.size, value: 0, "aria-label": `${file.name}: sent` });
  const said = el("span", { role: "status" });
  const sending = el("div", { class: "da-sending", hidden: true }, said, bar,
    el("button", { type: "button", class: "tm-button small", onclick: () => stop.abort() }, "Stop"));
  const fields = el("fieldset", {},
    el("legend", {}, "Masks in it are"),
    choice("truth", "true masks", "to measure by", true),
    choice("candidates", "candidates", "to be reviewed, as the work of"),
    called,
    choice("none", "left out", ""),
    el("label", { class: "da-choice" }, folders, el("span", {}, "Folder names are tags", el("span", { class: "tm-faint" }, "cat/1.jpg"))),
    el("div", { class: "da-row" }, go, el("button", { type: "button", class: "tm-button", onclick: closed }, "Not now")));
  const form = el("form", { class: "da-archive", onsubmit: (event) => { event.preventDefault(); send(); } },
    el("b", { class: "da-name" }, file.name), el("span", { class: "tm-faint" }, size(file.size)), fields, sending);
  const chosen = () => form.querySelector("input[name=da-masks]:checked").value;
  function shown() { called.hidden = chosen() !== "candidates"; }
  shown();

  async function send() {
    fields.disabled = true;
    fields.hidden = true;
    sending.hidden = false;
    try {
      const begun = await api("transfers/upload", { name: file.name, size: file.size, changed: file.lastModified, reviewer: reviewer() });
      await pieces(begun);
      await api(`transfers/${begun.id}/start`, { masks: chosen(), called: called.value, by_folders: folders.checked });
      closed();
      started();
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message, "bad");
      closed();
      started();
    }
  }

  async function pieces(begun) {
    let received = begun.received;
    let failed = 0;
    while (received < file.size) {
      bar.value = received;
      said.textContent = `${Math.floor((100 * received) / file.size)} % of ${size(file.size)} sent`;
      try {
        received = await piece(begun, received);
        failed = 0;
      } catch (error) {
        if (error.name === "AbortError" || (error.status && error.status < 500 && error.status !== 409) || (failed += 1) > TRIES) throw error;
        said.textContent = "The connection broke; trying again…";
        await new Promise((wake) => setTimeout(wake, PATIENCE * failed));
        received = (await api("transfers/upload", { name: file.name, size: file.size, changed: file.lastModified, reviewer: reviewer() })).received;
      }
    }
    bar.value = file.size;
    said.textContent = "Sent.";
  }

  async function piece(begun, offset) {
    const response = await fetch(`/tagmask/api/transfers/${begun.id}/piece?offset=${offset}`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream", "X-Tagmask": "1" },
      body: file.slice(offset, offset + begun.piece),
      signal: stop.signal,
    });
    const body = await response.json().catch(() => null);
    if (response.ok && body) return body.received;
    throw Object.assign(new Error(body?.error ?? `The server answered ${response.status}.`), { status: response.status });
  }

  return form;
}

/** 123456789 -> "118 MB". */
export function size(bytes) {
  const megabytes = bytes / 2 ** 20;
  return megabytes >= 1024 ? `${formatNumber(megabytes / 1024, 1)} GB` : megabytes >= 1 ? `${formatNumber(megabytes, megabytes < 10 ? 1 : 0)} MB` : `${formatNumber(Math.max(1, Math.round(bytes / 1024)))} kB`;
}
