// Logs in, says why where it cannot be, and goes on to where the person wanted to be.

const form = document.querySelector(".lg-form");
const name = document.getElementById("lg-name");
const password = document.getElementById("lg-password");
const show = document.getElementById("lg-show");
const said = document.getElementById("lg-said");
const go = form.querySelector(".lg-go");

/** Where to go after it: an address of this server and no other, with what stood behind the #. */
function wanted() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  const there = URL.canParse(next, location.origin) ? new URL(next, location.origin) : null;
  const here = there?.origin === location.origin && !there.pathname.startsWith("/tagmask/login");
  // With the origin, because a path alone may begin with two slashes and so name another server.
  return location.origin + (here ? there.pathname + there.search : "/") + location.hash;
}

function say(sentence) {
  said.textContent = sentence;
  for (const field of [name, password]) field.setAttribute("aria-invalid", String(sentence !== ""));
}

async function enter() {
  if (!name.value.trim() || !password.value) {
    say(name.value.trim() ? "Type your password." : "Type your name.");
    (name.value.trim() ? password : name).focus();
    return;
  }
  go.disabled = true;
  go.textContent = "Logging in…";
  say("");
  try {
    const answer = await fetch("/tagmask/api/login", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Tagmask": "1" },
      body: JSON.stringify({ name: name.value, password: password.value }),
    });
    const body = await answer.json();
    // 409: in the meantime nobody has to log in any more.
    if (answer.ok || answer.status === 409) {
      location.replace(wanted());
      return;
    }
    say(body.error ?? `The server answered ${answer.status}.`);
    password.select();
    password.focus();
  } catch {
    say("The server does not answer. Check that app.py is still running, then try again.");
  }
  go.disabled = false;
  go.textContent = "Log in";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  enter();
});
form.addEventListener("input", () => say(""));
password.addEventListener("keyup", (event) => {
  document.getElementById("lg-caps").hidden = !event.getModifierState?.("CapsLock");
});
show.addEventListener("click", () => {
  const open = password.type === "password";
  password.type = open ? "text" : "password";
  show.textContent = open ? "Hide" : "Show";
  show.setAttribute("aria-pressed", String(open));
  show.setAttribute("aria-label", open ? "Hide the password" : "Show the password");
  password.focus();
});
show.setAttribute("aria-label", "Show the password");
document.body.dataset.ready = "yes";
