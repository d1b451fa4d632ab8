// Another password for whoever is logged in: the old one, the new one twice.
import { api, el, toast } from "../ui.js";

// As backend/passwords.py has it, which decides.
const SHORTEST = 10;

/** Opens the dialog; Escape closes it. */
export function changePassword(name) {
  const field = (id, label, autocomplete) => {
    const input = el("input", { id, class: "tm-input", type: "password", autocomplete, maxlength: 1024, required: true });
    return [input, el("label", { for: id }, label), input];
  };
  const [old, ...first] = field("lp-old", "Password until now", "current-password");
  const [wanted, ...second] = field("lp-new", "New password", "new-password");
  const [again, ...third] = field("lp-again", "New password once more", "new-password");
  const said = el("p", { class: "lp-said", role: "alert" });
  const go = el("button", { class: "tm-button primary", type: "submit" }, "Change password");
  const form = el("form", { onsubmit: change, oninput: () => { said.textContent = ""; }, novalidate: true },
    // So that what keeps passwords knows whose this is.
    el("input", { type: "text", autocomplete: "username", value: name, class: "tm-visually-hidden", tabindex: -1, "aria-hidden": "true", readonly: true }),
    first, second, third,
    el("p", { class: "lp-note" }, `At least ${SHORTEST} characters; several words in a row are easy to keep in mind. Wherever else you are logged in, that login ends.`),
    said,
    el("div", { class: "lp-acts" }, el("button", { class: "tm-button", type: "button", onclick: () => dialog.close() }, "Cancel"), go));
  const dialog = el("dialog", { class: "tm lp", "aria-labelledby": "lp-title" }, el("h2", { id: "lp-title" }, "Change your password"), form);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  old.focus();

  function missing() {
    if (!old.value) return [old, "Type the password that you have."];
    if (wanted.value.length < SHORTEST) return [wanted, `A password has at least ${SHORTEST} characters.`];
    return wanted.value === again.value ? null : [again, "The new password is not the same both times."];
  }

  async function change(event) {
    event.preventDefault();
    const wrong = missing();
    if (wrong) {
      said.textContent = wrong[1];
      return wrong[0].focus();
    }
    go.disabled = true;
    try {
      await api("password", { old: old.value, new: wanted.value });
      dialog.close();
      toast("Your password is changed. Wherever else you were logged in, you have to log in again.", "good");
    } catch (error) {
      said.textContent = error.message;
      old.select();
      old.focus();
    }
    go.disabled = false;
    return undefined;
  }
}
