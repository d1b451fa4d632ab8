// The theme that was chosen in this browser, before anything is painted.
const choice = localStorage.getItem("tagmask.theme") || "auto";
const dark = choice === "dark" || (choice === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.classList.toggle("dark", dark);
document.documentElement.dataset.tmTheme = dark ? "dark" : "light";
