"""A tab's root element and the ES module that fills it."""

import gradio as gr


def module_root(name: str, module: str) -> None:
    """Places a tab's root element `tm-NAME` and starts its ES module's `mount(root)` in it.

    `module` is a path under ui/static. The page itself holds nothing else of the tab.
    """
    gr.HTML(
        f'<div id="tm-{name}" class="tm tm-tab"></div>',
        padding=False,
        container=False,
        apply_default_css=False,
        elem_classes=["tm-holder"],
        js_on_load=import_and_mount(f"tm-{name}", module),
    )


def import_and_mount(root_id: str, module: str) -> str:
    """JavaScript for `js_on_load`: imports ui/static/MODULE and calls its `mount(root)`."""
    return (
        f'const root = element.querySelector("#{root_id}");'
        f'import("/tagmask/static/{module}").then((m) => m.mount(root))'
        ".catch((error) => {"
        "  console.error(error);"
        '  root.textContent = "This part of the page could not start. Reload the page; '
        "if it stays so, look into the browser's console.\";"
        "});"
    )
