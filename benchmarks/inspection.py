"""How long the Inspect tab lets a person wait: python -m benchmarks.inspection [--repeats 9].

Serves a scratch workspace and measures, for a scene (slim network) and a 500x375 photograph
(SqueezeNet): the first map, all maps but the CRF, everything; then moved sliders, on the server
and, where Chromium is installed, from the slider's event to the painted panel. Networks are
untrained where no trained weights are at hand: time does not depend on what they know.
"""

import argparse
import json
import shutil
import statistics
import struct
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import uvicorn

from app import listen
from backend.images import encode_jpeg, encode_png
from backend.networks import TORCHVISION, CamClassifier
from backend.weights import WeightsCard, save
from backend.workspace import Workspace
from training.scenes import SCENE_CLASSES, render

BUDGETS = {
    ("scene", "first map"): 0.5,
    ("scene", "all but CRF"): 1.5,
    ("photograph", "all"): 3.0,
    ("slider", "painted"): 0.15,
}
SLIDERS = {"high": "zones", "weight": "fusion.seenet", "gamma": "fusion.dcsp"}
SCENE_SIDE = 96
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9, help="images and moves of each kind")
    repeats = parser.parse_args().repeats
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        workspace = make_workspace(Path(scratch) / "workspace", repeats)
        with serving(workspace) as address:
            for kind, run in (("scene", 1), ("photograph", 2)):
                measure_stages(address, kind, f"run:{run}", repeats)
            measure_sliders(address, repeats)
            measure_painted(address, repeats)


def make_workspace(root: Path, repeats: int) -> Workspace:
    """Scenes and photographs that differ, so that none is found in a cache, and two networks."""
    workspace = Workspace.create(root, "benchmark", classes=SCENE_CLASSES)
    for index in range(repeats + 1):
        scene = render(0, index, SCENE_SIDE)
        tags = scene.tags[:3] or (1,)
        workspace.store.images.add(f"scene{index}", encode_png(scene.image), source="b", tags=tags)
        photograph = cv2.resize(render(1, index, 256).image, (500, 375))
        workspace.store.images.add(
            f"photograph{index}", encode_jpeg(photograph), source="b", tags=tags
        )
    for backbone, side in (("slim", SCENE_SIDE), ("squeezenet1_1", 224)):
        network = CamClassifier(backbone, len(SCENE_CLASSES), head_channels=256, head_layers=1)
        card = WeightsCard(
            name=backbone,
            kind="cam",
            backbone=backbone,
            stride=network.backbone.stride,
            classes=SCENE_CLASSES,
            class_ids=tuple(range(1, len(SCENE_CLASSES) + 1)),
            normalisation=TORCHVISION,
            input_size=side,
            architecture=network.settings,
        )
        folder = workspace.runs / backbone
        folder.mkdir()
        save(folder / "weights.safetensors", network.eval(), card)
        run = workspace.store.runs.add(backbone, "classify", folder)
        workspace.store.runs.finish(run, {}, "weights.safetensors")
    return workspace


@contextmanager
def serving(workspace: Workspace) -> Iterator[str]:
    """The web app in a thread of this process."""
    from ui.server import build_app

    app = build_app(workspace)
    app.state.context.inspectors.warm_up().join()
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=10)
        app.state.context.crf.close()


def arrivals(address: str, body: dict[str, Any]) -> list[tuple[float, str]]:
    """Seconds from the request to each frame's last byte, with the frame's stage."""
    request = urllib.request.Request(
        f"{address}/tagmask/api/inspect",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "X-Tagmask": "1"},
    )
    found = []
    start = time.perf_counter()
    with urllib.request.urlopen(request) as answer:
        while length := answer.read(4):
            header = json.loads(answer.read(struct.unpack("<I", length)[0]))
            answer.read(header["bytes"])
            found.append((time.perf_counter() - start, header["stage"]))
    return found


def measure_stages(address: str, kind: str, weights: str, repeats: int) -> None:
    """Times of images never seen before, the network loaded."""
    times: dict[str, list[float]] = {"first map": [], "all but CRF": [], "all": []}
    for index in range(repeats + 1):
        found = arrivals(address, {"image": f"{kind}{index}", "weights": weights})
        if index == 0:  # the first one also loads the network
            continue
        at = {stage: seconds for seconds, stage in reversed(found)}
        times["first map"].append(at["cam"])
        times["all but CRF"].append(at["fusion.oaa"])
        times["all"].append(at["done"])
    for name, seconds in times.items():
        say(kind, name, seconds)


def measure_sliders(address: str, repeats: int) -> None:
    """Times of the quick stages after a setting moved, the image known."""
    for name, stage in SLIDERS.items():
        seconds = []
        for step in range(repeats):
            body = {
                "image": "photograph1",
                "weights": "run:2",
                "settings": {name: 0.5 + step / 100},
                "after": [name],
                "only": [stage],
            }
            seconds.append(arrivals(address, body)[-1][0])
        say("slider", f"{name}, on the server", seconds)


def measure_painted(address: str, repeats: int) -> None:
    """From the slider's event, or the click on an image, to the painted panel, in Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("painted: not measured, Chromium or playwright is not installed")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}/#image=photograph1&weights=run:2")
        page.wait_for_selector('.tmv-scores:not(.stale) .tmv-panel, .tmv-caption:has-text("mask")')
        page.wait_for_timeout(1500)
        for name, stage in SLIDERS.items():
            title = {"high": "High threshold", "weight": "SeeNet w", "gamma": "DCSP γ"}[name]
            seconds = []
            for step in range(repeats):
                asked = {"title": title, "stage": stage, "value": 0.3 + step / 50}
                seconds.append(page.evaluate(MOVE_AND_WAIT, asked) / 1000)
                page.wait_for_timeout(900)  # until the slow stages have followed
            say("slider", f"{name}, painted", seconds, BUDGETS["slider", "painted"])
        seconds = []
        for index in range(2, repeats + 1):
            page.wait_for_timeout(900)
            seconds.append(page.evaluate(CHOOSE_AND_WAIT, f"photograph{index}") / 1000)
        say("photograph", "first map painted", seconds)
        browser.close()


MOVE_AND_WAIT = """({title, stage, value}) => new Promise((done) => {
  const slider = document.querySelector(`.tmv-slider input[type=range][aria-label="${title}"]`);
  const start = performance.now();
  const painted = (event) => {
    if (event.detail.stage !== stage) return;
    window.removeEventListener("tagmask:painted", painted);
    done(performance.now() - start);
  };
  window.addEventListener("tagmask:painted", painted);
  slider.value = value;
  slider.dispatchEvent(new Event("input"));
})"""

CHOOSE_AND_WAIT = """(name) => new Promise((done) => {
  const start = performance.now();
  const painted = (event) => {
    if (event.detail.stage !== "cam") return;
    window.removeEventListener("tagmask:painted", painted);
    done(performance.now() - start);
  };
  window.addEventListener("tagmask:painted", painted);
  document.querySelector(`.tmv-thumb[title^="${name},"]`).click();
})"""


def say(kind: str, name: str, seconds: list[float], budget: float | None = None) -> None:
    """One line: median and worst in milliseconds, beside the budget where there is one."""
    budget = budget or BUDGETS.get((kind, name))
    median, worst = statistics.median(seconds), float(np.max(seconds))
    text = f"{kind:11} {name:24} median {median * 1000:7.0f} ms   worst {worst * 1000:7.0f} ms"
    if budget:
        text += f"   budget {budget * 1000:5.0f} ms   {'kept' if median <= budget else 'MISSED'}"
    print(text, flush=True)


if __name__ == "__main__":
    main()
