"""Gradio's theme set to Tagmask's tokens, so that Gradio's own parts look like ours."""

from pathlib import Path

import gradio as gr

STATIC = Path(__file__).parent / "static"


def build_theme() -> gr.themes.Base:
    """A Gradio theme of the `--tm-*` colours of tokens.css, with local fonts."""
    font = [gr.themes.Font(name) for name in ("Inter Variable", "system-ui", "sans-serif")]
    mono = [gr.themes.Font(name) for name in ("ui-monospace", "DejaVu Sans Mono", "monospace")]
    theme = gr.themes.Base(
        primary_hue="teal",
        neutral_hue="gray",
        font=font,
        font_mono=mono,
        radius_size="sm",
        text_size="sm",
    )
    both = {
        "body_background_fill": "var(--tm-page)",
        "body_text_color": "var(--tm-text)",
        "body_text_color_subdued": "var(--tm-text-2)",
        "background_fill_primary": "var(--tm-surface)",
        "background_fill_secondary": "var(--tm-sunken)",
        "block_background_fill": "var(--tm-surface)",
        "block_border_color": "var(--tm-line)",
        "border_color_primary": "var(--tm-line)",
        "border_color_accent": "var(--tm-accent)",
        "input_background_fill": "var(--tm-surface)",
        "input_border_color": "var(--tm-line-strong)",
        "button_primary_background_fill": "var(--tm-accent)",
        "button_primary_background_fill_hover": "var(--tm-accent-strong)",
        "button_primary_text_color": "var(--tm-on-accent)",
        "button_secondary_background_fill": "var(--tm-surface)",
        "button_secondary_background_fill_hover": "var(--tm-sunken)",
        "button_secondary_border_color": "var(--tm-line-strong)",
        "button_secondary_text_color": "var(--tm-text)",
        "color_accent_soft": "var(--tm-accent-soft)",
    }
    return theme.set(**both, **{f"{name}_dark": value for name, value in both.items()})


def head_html() -> str:
    """The page's head: tokens, the shell's style, and the theme before the first paint."""
    return """
<link rel="stylesheet" href="/tagmask/static/tokens.css">
<link rel="stylesheet" href="/tagmask/static/shell.css">
<link rel="stylesheet" href="/tagmask/static/login/chip.css">
<link rel="icon" type="image/svg+xml" href="/tagmask/static/favicon.svg">
<link rel="preload" as="font" type="font/woff2" crossorigin
  href="/tagmask/static/fonts/inter-latin-wght-normal.woff2">
<script>
// Gradio sets `dark` by the system when it starts; the person's choice is put back at once.
(() => {
  const root = document.documentElement;
  const choice = localStorage.getItem("tagmask.theme") || "auto";
  const dark = choice === "dark"
    || (choice === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.tmTheme = dark ? "dark" : "light";
  const keep = () => {
    const wanted = root.dataset.tmTheme === "dark";
    for (const node of [root, document.body]) {
      if (node && node.classList.contains("dark") !== wanted) node.classList.toggle("dark", wanted);
    }
  };
  keep();
  const watch = new MutationObserver(keep);
  watch.observe(root, { attributes: true, attributeFilter: ["class", "data-tm-theme"] });
  addEventListener("DOMContentLoaded", () => {
    keep();
    watch.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  });
})();
</script>
"""
