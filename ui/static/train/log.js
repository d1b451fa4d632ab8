// The end of a run's log: bounded, and at its end for as long as nobody scrolls up.
import { el } from "../ui.js";

const MOST_LINES = 600;

export class LogTail {
  constructor() {
    this.end = -1;
    this.text = "";
    this.follow = true;
    this.view = el("pre", { class: "tr-log", tabindex: 0, "aria-label": "The end of the run's log", onscroll: () => this.#scrolled() });
    this.toEnd = el("button", { type: "button", class: "tm-button small tr-log-end", hidden: true, title: "Follow the log again", onclick: () => this.#toEnd() }, "To the end");
    this.top = 0;
    new ResizeObserver(() => { if (this.follow) this.#toEnd(); }).observe(this.view);
    this.node = el("section", { class: "tr-logbox" }, el("header", {}, el("h3", {}, "Log"), this.toEnd), this.view);
  }

  clear() {
    this.end = -1;
    this.text = "";
    this.follow = true;
    this.view.textContent = "";
    this.toEnd.hidden = true;
  }

  /** Takes what the server sent: {text, fresh, end, cut} or null. */
  add(news) {
    if (!news) return;
    this.end = news.end;
    const text = (news.fresh ? (news.cut ? "…\n" : "") : this.text) + news.text;
    const lines = text.split("\n");
    this.text = lines.length > MOST_LINES ? `…\n${lines.slice(-MOST_LINES).join("\n")}` : text;
    // A progress bar rewrites its line with carriage returns; its last state is what counts.
    this.view.textContent = this.text.replace(/[^\n]*\r(?!\n)/g, "");
    if (this.follow) this.#toEnd();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.view;
    // Only a person scrolls up; a box that changed its size does not mean to stop following.
    if (scrollHeight - scrollTop - clientHeight < 24) this.follow = true;
    else if (scrollTop < this.top) this.follow = false;
    this.top = scrollTop;
    this.toEnd.hidden = this.follow;
  }

  #toEnd() {
    this.view.scrollTop = this.view.scrollHeight;
  }
}
