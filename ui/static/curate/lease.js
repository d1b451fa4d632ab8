// The lease on the image that is being edited: taken, renewed, given back; taken over only when a person says so.
import { api, el, reviewer, session } from "../ui.js";
import { style } from "../people/style.js";

// A lease runs out after 90 seconds; a tab that is out of sight may still renew it once a minute.
const RENEW_MS = 25_000;

/**
 * Takes the lease on an image, asking whether to take it over where somebody else edits it.
 * Answers {release()} or, where the person would rather wait, null. `onLost(sentence)` is called once somebody took it over.
 */
export async function takeLease(imageId, { onLost = () => {} } = {}) {
  const body = { image: imageId, reviewer: reviewer(), session: session() };
  try {
    await api("people/lease", body);
  } catch (error) {
    if (!error.body?.lease) throw error;
    await style();
    if (!(await askToTakeOver(error.body.lease))) return null;
    await api("people/lease", { ...body, steal: true });
  }
  return new Held(body, onLost);
}

class Held {
  constructor(body, onLost) {
    this.body = body;
    this.onLost = onLost;
    this.timer = setInterval(() => this.renew(), RENEW_MS);
    this.seen = () => { if (!document.hidden) this.renew(); };
    this.left = () => this.#giveBack();
    document.addEventListener("visibilitychange", this.seen);
    window.addEventListener("pagehide", this.left);
  }

  /** Renews it; a server that cannot be reached is asked again, one that says who has it now ends it. */
  async renew() {
    try {
      await api("people/lease", this.body);
    } catch (error) {
      if (!error.body?.lease || !this.timer) return;
      this.#end();
      const { reviewer: holder } = error.body.lease;
      this.onLost(holder === this.body.reviewer
        ? "You took this image over in another window. What you drew here is kept as a draft."
        : `${holder} took this image over. What you drew is kept as a draft.`);
    }
  }

  /** Gives it back, so that nobody has to wait until it runs out. */
  release() {
    if (!this.timer) return;
    this.#end();
    this.#giveBack();
  }

  #end() {
    clearInterval(this.timer);
    this.timer = null;
    document.removeEventListener("visibilitychange", this.seen);
    window.removeEventListener("pagehide", this.left);
  }

  #giveBack() {
    // `keepalive` lets it out of a page that is closing; where it is lost all the same the lease runs out.
    fetch("/tagmask/api/people/release", {
      method: "POST", keepalive: true,
      headers: { "Content-Type": "application/json", "X-Tagmask": "1" },
      body: JSON.stringify(this.body),
    }).catch(() => {});
  }
}

/** Asks whether to take an image over from who edits it; false on Escape. */
function askToTakeOver({ reviewer: holder, taken_at: since }) {
  const mine = holder === reviewer();
  const minutes = Math.max(0, Math.round((Date.now() / 1000 - since) / 60));
  const long = minutes < 1 ? "for less than a minute" : minutes === 1 ? "for a minute" : `for ${minutes} minutes`;
  return new Promise((done) => {
    const dialog = el("dialog", { class: "tm pe-ask", "aria-labelledby": "pe-ask-title" },
      el("h2", { id: "pe-ask-title" }, mine ? "You are editing this image in another window" : `${holder} is editing this image`),
      el("p", {}, `${mine ? "That window has had it" : `${holder} has had it`} ${long}. If you take it over, what was drawn there is kept as a draft, and ${mine ? "that window" : "the page"} says who has it now.`),
      el("form", { method: "dialog", class: "pe-acts" },
        el("button", { class: "tm-button", value: "wait", autofocus: true }, "Leave it"),
        el("button", { class: "tm-button danger", value: "take" }, "Take it over")));
    dialog.addEventListener("close", () => { dialog.remove(); done(dialog.returnValue === "take"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}
