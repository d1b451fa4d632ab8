"""The page: a header and one tab each for inspecting, curating, training and the data."""

import html

import gradio as gr

from ui import compare, curate, data, inspect, tags, train
from ui.context import Context
from ui.roots import import_and_mount


def build_page(context: Context) -> gr.Blocks:
    """Gradio Blocks with the header and the four tabs."""
    with gr.Blocks(
        title=f"{context.workspace.name} · Tagmask", fill_width=True, analytics_enabled=False
    ) as page:
        _header(context)
        with gr.Tabs(elem_id="tm-tabs"):
            for title, tab in (
                ("Inspect", inspect),
                ("Curate", curate),
                ("Tags", tags),
                ("Train", train),
                ("Compare", compare),
                ("Data", data),
            ):
                with gr.Tab(title, id=title.lower()):
                    tab.build(context)
    return page


def _header(context: Context) -> None:
    name = html.escape(context.workspace.name, quote=True)
    id = html.escape(str(context.workspace.settings.get("id", context.workspace.name)), quote=True)
    read_only = "yes" if context.read_only else "no"
    gr.HTML(
        f'<header id="tm-header" class="tm" data-workspace="{name}" data-id="{id}" '
        f'data-read-only="{read_only}"></header>',
        padding=False,
        container=False,
        apply_default_css=False,
        elem_classes=["tm-header-holder"],
        js_on_load=import_and_mount("tm-header", "header.js"),
    )
