// The editor's keys: while it is open they are its own, whatever the desk below does with them.
import { tabVisible, typing } from "../../ui.js";
import { showKeys } from "./tools.js";

export class Keys {
  constructor(editor) {
    this.editor = editor;
    this.down = (event) => this.#down(event);
    this.up = (event) => { if (event.key === " ") editor.pointer.holdSpace(false); };
    this.blur = () => editor.pointer.holdSpace(false);
    // Heard before the page's own, which must not see them.
    window.addEventListener("keydown", this.down, true);
    window.addEventListener("keyup", this.up, true);
    window.addEventListener("blur", this.blur);
  }

  close() {
    window.removeEventListener("keydown", this.down, true);
    window.removeEventListener("keyup", this.up, true);
    window.removeEventListener("blur", this.blur);
  }

  #down(event) {
    const { editor } = this;
    if (!tabVisible("curate") || document.querySelector("dialog[open]")) return;
    const field = typing(event) && !["range", "checkbox"].includes(event.target.type);
    if (field) return;
    const slider = event.target.type === "range" && /^(Arrow|Home|End|Page)/.test(event.key);
    const pressed = event.key === " " || event.key === "Enter" ? editor.tab.pressing?.takes(event) || event.target.type === "checkbox" : false;
    if (slider || pressed || event.key === "Tab") return;
    if (event.target.dataset?.id !== undefined && event.key.startsWith("Arrow")) {
      const id = editor.panel.move(event);
      if (id !== null) editor.paintWith(id);
      return this.#taken(event);
    }
    const act = this.#act(event);
    if (!act) return;
    this.#taken(event);
    if (!event.repeat || "[]+-=".includes(event.key) || /^z$/i.test(event.key)) act();
  }

  #taken(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  #act(event) {
    const { editor } = this;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      return { z: () => (event.shiftKey ? editor.redo() : editor.undo()), y: () => editor.redo(), s: () => editor.save() }[key];
    }
    if (event.altKey) return null;
    if (/^[1-9]$/.test(key)) return () => editor.chooseNumber(Number(key));
    return {
      b: () => editor.use("brush"), e: () => editor.use("eraser"), f: () => editor.use("fill"),
      p: () => editor.use(event.shiftKey ? "cut" : "polygon"), g: () => editor.grow(),
      0: () => editor.paintWith(0), i: () => editor.paintWith(255), c: () => editor.pick(), k: () => editor.keepOthers(!editor.mask.keepOthers),
      "[": () => editor.smaller(), "]": () => editor.larger(),
      z: () => (event.shiftKey ? editor.redo() : editor.undo()), y: () => editor.redo(),
      h: () => editor.toggle("hidden"), o: () => editor.toggle("outline"),
      "+": () => editor.fade(0.05), "=": () => editor.fade(0.05), "-": () => editor.fade(-0.05), "−": () => editor.fade(-0.05),
      " ": () => editor.pointer.holdSpace(true), Home: () => editor.fit(),
      Enter: () => editor.keep(), Escape: () => editor.drop(), Backspace: () => editor.back(),
      s: () => editor.save(), "?": showKeys,
    }[key];
  }
}
