"""A workspace with a run of each attention method, and what tests ask of the Inspect tab."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.history import (
    ACCUMULATED,
    NO_ATTENTION,
    REFUSED,
    WARM_UP,
    History,
    history_path,
    write_history,
)
from backend.images import encode_png
from backend.weights import KINDS, load, save
from backend.workspace import Workspace

TIMEOUT = 60_000
CELLS = 24
# The first scene shows a boat and a rabbit; the gate's rival is a tram.
BOAT, RABBIT, TRAM = 3, 7, 2
# Mean colour of a panel's canvas, so that a changed picture can be told from the one before.
MEAN = """([side, stage]) => {
  const panel = document.querySelector(`.tmv-panel[data-side="${side}"][data-stage="${stage}"]`);
  const canvas = panel.querySelector("canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const sums = [0, 0, 0, 0];
  for (let i = 0; i < data.length; i++) sums[i % 4] += data[i];
  return sums.map((sum) => Math.round(sum / (data.length / 4)));
}"""

# The words under pictures and in time lines that do not fit the place they have.
CUT = """[...document.querySelectorAll(
    ".tmv-grid .tmv-caption, .tmv-grid .tmv-caption > span, .tmv-pass-said, .tmv-pass-said > .now"
  )].filter((each) => each.offsetParent && (each.scrollWidth > each.clientWidth + 1
    || each.scrollHeight > each.clientHeight + 1)).map((each) => each.textContent)"""


def add_runs(root: Path) -> None:
    """Adds a run of each method to a workspace of scenes, and an image whose truth nobody knows."""
    with Workspace.open(root) as workspace:
        network, card = load("scenes-slim")
        oaa = add_run(workspace, "oaa", network, card)
        write_history(history_path(oaa, "scene-00000"), four_passes())
        torch.manual_seed(0)
        for kind in ("seenet", "ecsnet"):
            small = {} if kind == "ecsnet" else {"head_channels": 16, "head_layers": 1}
            made: Any = KINDS[kind]("slim", len(card.classes), head_start="he", **small)
            add_run(workspace, kind, made.eval(), replace(card, architecture=made.settings))
        plain = np.random.default_rng(3).integers(0, 255, (96, 128, 3), dtype=np.uint8)
        workspace.store.images.add("untold", encode_png(plain), source="test", tags=[BOAT])


def add_run(workspace: Workspace, kind: str, network: Any, card: Any) -> Any:
    folder = workspace.runs / kind
    folder.mkdir()
    save(folder / "weights.safetensors", network, replace(card, name=kind, kind=kind))
    run = workspace.store.runs.add(kind, kind, f"runs/{kind}")
    workspace.store.runs.finish(run, {}, "weights.safetensors")
    return folder


def four_passes() -> History:
    """Each pass lights a quarter of the image, in reading order: the boat is refused in the third,
    the rabbit has no attention in the fourth."""
    maps = np.zeros((4, 2, CELLS, CELLS), np.uint8)
    half = CELLS // 2
    for number, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        maps[number, :, row * half : (row + 1) * half, column * half : (column + 1) * half] = 255
    return History(
        maps=maps,
        seen=np.ones((4, CELLS, CELLS), bool),
        scores=np.float32([[0.5, 0.25], [3.0, 2.75], [1.25, 2.5], [4.0, -1.0]]),
        rival=np.float32([0.75, -1.5, 2.25, 0.5]),
        rival_class=np.full(4, TRAM, np.int16),
        verdict=np.uint8(
            [[WARM_UP] * 2, [ACCUMULATED] * 2, [REFUSED, ACCUMULATED], [ACCUMULATED, NO_ATTENTION]]
        ),
        class_ids=np.int16([BOAT, RABBIT]),
    )


def weights_of(page: Any, kind: str) -> str:
    return page.locator("select[aria-label=Weights] option", has_text=kind).get_attribute("value")


def opener(page: Any, app: Any) -> Callable[..., Any]:
    """What opens an image with what the address names, and answers the page when it has settled."""
    settled(page)

    def look(image: str = "scene-00000", **names: str) -> Any:
        ids = {
            name: weights_of(page, value) if name.startswith("weights") else value
            for name, value in names.items()
        }
        page.goto("about:blank")
        page.goto(f"{app.url}/#image={image}" + "".join(f"&{n}={v}" for n, v in ids.items()))
        settled(page)
        return page

    return look


def settled(page: Any) -> None:
    for side in range(1 + page.locator(".tmv-head").count() // 2):
        score = page.locator('.tmv-panel[data-stage="sal.score"]').nth(side)
        score.locator(".tmv-caption span").wait_for(state="attached", timeout=TIMEOUT)
    page.wait_for_function("!document.querySelector('.tmv-panel.stale, .tmv-scores.stale')")


def stages(page: Any, side: str = "A") -> list[str]:
    panels = page.locator(f'.tmv-panel[data-side="{side}"]')
    found = panels.evaluate_all("(all) => all.map((panel) => panel.dataset.stage)")
    return list(dict.fromkeys(found))


def visible_sliders(page: Any) -> set[str]:
    return set(page.locator(".tmv-settings .tmv-slider:visible label").all_inner_texts())


def cells(rows: Any) -> list[list[str]]:
    words = "(all) => all.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    return rows.evaluate_all(words)


def values_at(page: Any, x: float, y: float, panel: str) -> list[list[str]]:
    """The rows of the readout with the pointer at a place of a picture, in shares of its size."""
    box = page.locator(f"{panel} .tmv-picture").first.bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.wait_for_timeout(120)
    return cells(page.locator(".tmv-values tbody tr"))


@contextmanager
def asked(page: Any) -> Iterator[list[dict]]:
    """What the server is asked to inspect meanwhile."""
    bodies: list[dict] = []

    def note(request: Any) -> None:
        if request.url.endswith("/api/inspect"):
            bodies.append(json.loads(request.post_data))

    page.on("request", note)
    yield bodies
    page.remove_listener("request", note)
