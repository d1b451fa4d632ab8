// Decisions on their way to the server. Each is kept in this browser until the server has it on disk,
// so that a broken connection, a closed tab or a restarted app loses none; sent in order, one at a time.
import { api, login } from "../ui.js";

const PREFIX = "tagmask.outbox.";
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
// These say "not now" or "not here" (a login that ended, a read-only app, another address), not that the act itself is wrong.
export const NOT_NOW = [401, 403, 408, 421, 429];

export class Outbox {
  /** `workspace`, its id, keeps apart what belongs to different workspaces; `onChange(waiting, problem)`; `onRefused(entry, error)`. */
  constructor(workspace, { onChange, onRefused }) {
    // What somebody else did in this browser waits until they log in again: it is not ours to send.
    this.key = PREFIX + workspace + (login() ? `@${login().name}` : "");
    this.onChange = onChange;
    this.onRefused = onRefused;
    this.sending = null;
    this.problem = null;
  }

  get entries() {
    return JSON.parse(localStorage.getItem(this.key) ?? "[]");
  }

  /** Keeps a POST and sends what waits; resolves with the server's answer. */
  push(path, body) {
    const entry = { path, body: { action_id: newId(), client_time: Date.now() / 1000, ...body } };
    localStorage.setItem(this.key, JSON.stringify([...this.entries, entry]));
    this.onChange(this.entries.length, this.problem);
    this.flush();
    return entry;
  }

  /** Sends what waits, in order; resolves when nothing waits any more. */
  flush() {
    this.sending ??= this.#send().finally(() => { this.sending = null; });
    return this.sending;
  }

  async #send() {
    let failures = 0;
    for (let entries = this.entries; entries.length; entries = this.entries) {
      const [entry] = entries;
      try {
        const answer = await api(entry.path, entry.body);
        this.#drop(entry);
        this.problem = null;
        failures = 0;
        this.onChange(this.entries.length, null, { entry, answer });
      } catch (error) {
        // A refused act (4xx) will be refused again: say so and go on. Anything else is tried again.
        if (error.status >= 400 && error.status < 500 && !NOT_NOW.includes(error.status)) {
          this.#drop(entry);
          this.onRefused(entry, error);
          this.onChange(this.entries.length, null);
          continue;
        }
        this.problem = error.message;
        this.onChange(this.entries.length, this.problem);
        await new Promise((wake) => setTimeout(wake, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]));
      }
    }
  }

  #drop(entry) {
    const rest = this.entries.filter((each) => each.body.action_id !== entry.body.action_id);
    localStorage.setItem(this.key, JSON.stringify(rest));
  }
}

/** A name for an act that nothing else has. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
