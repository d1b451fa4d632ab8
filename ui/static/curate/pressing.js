// Whom Space and Enter belong to: the button, link, summary or slider that the focus was brought to by keyboard.
const PRESSED = 'button, a[href], summary, [role="button"], [role="slider"], [role="tab"]';

export class Pressing {
  constructor() {
    // The tab may be there only since a click on its name; a browser shows the focus that came by keyboard.
    const { activeElement } = document;
    this.pointed = activeElement?.matches(":focus-visible") ? null : (activeElement?.closest(PRESSED) ?? null);
    this.pointing = false;
    // A click leaves the focus on what it pressed; whoever goes on by keys then means the mask, not that button.
    const down = (event) => { this.pointing = true; this.pointed = event.target.closest(PRESSED); };
    const up = () => { this.pointing = false; };
    const focused = (event) => { if (event.target !== this.pointed) this.pointed = this.pointing ? event.target : null; };
    for (const [name, hear] of [["pointerdown", down], ["pointerup", up], ["pointercancel", up], ["focusin", focused]]) {
      document.addEventListener(name, hear, true);
    }
  }

  /** Whether a key presses what has the focus, so that it is no key of the page's. */
  takes(event) {
    if (event.key !== " " && event.key !== "Enter") return false;
    const control = event.target.closest(PRESSED);
    return control !== null && control !== this.pointed;
  }
}
