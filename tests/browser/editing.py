"""What the editor's browser tests share: a workspace, and its acts done again in numpy."""

import sqlite3
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.images import encode_jpeg
from backend.labels import encode_labels, read_labels
from backend.workspace import Workspace

TIMEOUT = 30_000
SIDE = 160
IMAGES = 16
ROOT = "#tm-curate"
MARGIN = 24


def make_workspace(root: Path) -> Path:
    """Scenes whose masks are too large by four pixels all around, the first in the queue first."""
    from training.scenes import SCENE_CLASSES, render

    with Workspace.create(root, "Editor", classes=SCENE_CLASSES) as made:
        run = made.store.runs.add("coarse", "labels", made.runs / "coarse")
        for number in range(IMAGES):
            scene = render(seed=7, index=number, size=SIDE)
            image = made.store.images.add(
                f"scene {number:02d}", encode_jpeg(scene.image), source="t", tags=scene.tags,
                truth=encode_labels(scene.labels),
            ).image  # fmt: skip
            grown = cv2.dilate(scene.labels, np.ones((9, 9), np.uint8))
            score = {"SC": number / 100}
            made.store.candidates.add(image.id, run, "cam.dcsp", encode_labels(grown), score)
    return root


def rows(app: Any, query: str, *values: Any) -> list[tuple]:
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        return database.execute(query, values).fetchall()


def stored(app: Any, candidate: int) -> np.ndarray:
    [(digest,)] = rows(app, "SELECT digest FROM candidates WHERE id = ?", candidate)
    return read_labels(app.workspace / "files" / digest[:2] / f"{digest}.png")


def open_curate(page: Any) -> None:
    page.get_by_role("tab", name="Curate", exact=True).click()
    page.locator(f"{ROOT}[data-shown]").wait_for(timeout=TIMEOUT)


class Desk:
    """The editor on the candidate that came first, and the same acts done again in numpy."""

    def __init__(self, page: Any, app: Any) -> None:
        self.page, self.app = page, app
        self.candidate = int(page.locator(ROOT).get_attribute("data-shown"))
        self.labels = stored(app, self.candidate)
        self.open()

    def open(self) -> None:
        self.page.keyboard.press("e")
        self.page.locator(".ed[data-ready]").wait_for(timeout=TIMEOUT)
        # Where the image is once it is fitted, as the camera works it out.
        box = self.page.locator(".ed-layer").bounding_box()
        self.scale = min((box["width"] - 2 * MARGIN) / SIDE, (box["height"] - 2 * MARGIN) / SIDE)
        self.left = box["x"] + (box["width"] - SIDE * self.scale) / 2
        self.top = box["y"] + (box["height"] - SIDE * self.scale) / 2

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.left + x * self.scale, self.top + y * self.scale

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, *points: tuple[float, float], button: str = "left") -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down(button=button)
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point))
        self.page.mouse.up(button=button)

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))

    def brush(self, size: int) -> None:
        slider = self.page.get_by_role("slider", name="Brush size in pixels of the image")
        slider.fill(str(size))

    def number(self, class_id: int) -> str:
        """The key of a class: its place in the list."""
        listed = self.page.locator(".ed-scroll .ed-class").evaluate_all(
            "nodes => nodes.map((node) => Number(node.dataset.id))"
        )
        return str(1 + listed.index(class_id))

    def painted(self, a: tuple, b: tuple, size: int, class_id: int) -> None:
        """A stroke by each pixel's distance from the line, where the page goes row by row."""
        y, x = np.mgrid[:SIDE, :SIDE] + 0.5
        (ax, ay), (bx, by) = a, b
        along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / max(
            (bx - ax) ** 2 + (by - ay) ** 2, 1e-9
        )
        along = along.clip(0, 1)
        away = np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))
        self.labels[away <= size / 2 + 1e-6] = class_id

    def save(self) -> int:
        """Saves by key; the new candidate."""
        self.press("s")
        self.page.locator(".ed").wait_for(state="detached", timeout=TIMEOUT)
        [(new,)] = rows(self.app, "SELECT max(id) FROM candidates")
        return int(new)

    def kept(self) -> None:
        self.page.get_by_text("Draft kept at").wait_for(timeout=TIMEOUT)
