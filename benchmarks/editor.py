"""How soon a brush stroke is on the screen, on a large photograph in headless Chromium.

    nice python -m benchmarks.editor [--width 2000] [--height 1500] [--strokes 8] [--moves 30]
        [--scale 1] [--json FILE]

A workspace with one photograph of noise and one mask is made, the app is started on it, and the
editor is opened at 1440x900. A real mouse (Chromium's own input events) then draws strokes with
brushes of several sizes, the image fitted and zoomed in, and moves the picture. For every frame in
which the pointer moved it is taken how long the page took from the event's handler to after that
frame was painted ("stroke to pixel"), and the time from one frame to the next; and how much of the
processor the page's main thread took for a frame, which other load on the machine changes least.
Chromium paints without a GPU here. --scale is the screen's ratio of device to CSS pixels. The
budget is a 95th percentile of 16 ms; over it the exit status is 1.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from backend.images import encode_jpeg
from backend.labels import encode_labels
from backend.workspace import Workspace

BUDGET_MS = 16.0
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ROOT = Path(__file__).resolve().parents[1]

WATCH = """() => {
  window.tmFrames = { painted: [], between: [] };
  let waiting = false;
  let last = null;
  window.addEventListener("pointermove", () => {
    if (waiting) return;
    waiting = true;
    const began = performance.now();
    requestAnimationFrame((now) => {
      if (last !== null) window.tmFrames.between.push(now - last);
      last = now;
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        window.tmFrames.painted.push(performance.now() - began);
        waiting = false;
      };
      channel.port2.postMessage(null);
    });
  }, true);
  window.tmPause = () => { last = null; };
}"""


def main() -> int:
    """Measures and prints a table; 1 where a stroke is over the budget."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=2000)
    parser.add_argument("--height", type=int, default=1500)
    parser.add_argument("--strokes", type=int, default=8)
    parser.add_argument("--moves", type=int, default=30, help="pointer events a stroke")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("There is no chromium here (on Debian: apt-get install chromium).", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="tagmask-editor-") as scratch:
        workspace = Path(scratch) / "workspace"
        _make(workspace, asked.width, asked.height)
        process, url = _start(workspace)
        try:
            found = _measure(chromium, url, asked)
        finally:
            process.terminate()
            process.wait(30)
    print(f"{asked.width} x {asked.height} pixels, device pixel ratio {asked.scale:g}")
    print(f"{'':34} {'frames':>6} {'median':>7} {'p95':>7} {'worst':>7} {'processor':>10}  apart")
    for name, each in found.items():
        print(
            f"{name:34} {each['frames']:6d} {each['median']:6.1f}  {each['p95']:6.1f} "
            f"{each['worst']:7.1f} {each['processor']:10.1f}  {each['between']:.1f} ms"
        )
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")
    over = [name for name, each in found.items() if each["p95"] > BUDGET_MS and "stroke" in name]
    for name in over:
        print(f"over the budget of {BUDGET_MS:g} ms: {name}", file=sys.stderr)
    return 1 if over else 0


def _make(root: Path, width: int, height: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    labels = np.zeros((height, width), np.uint8)
    labels[height // 4 : height // 2, width // 4 : width // 2] = 1
    with Workspace.create(root, "Editor", classes=("one", "two")) as made:
        image = made.store.images.add("large", encode_jpeg(noise), source="benchmark", tags=[1])
        made.store.candidates.add(image.image.id, None, "cam", encode_labels(labels))


def _start(workspace: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--workspace", str(workspace), "--port", str(port)]
    with (workspace.parent / "app.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return process, url
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if process.poll() is not None:
                break
            time.sleep(0.2)
    process.kill()
    raise SystemExit(f"The app did not start:\n{(workspace.parent / 'app.log').read_text()}")


def _measure(chromium: str, url: str, asked: argparse.Namespace) -> dict[str, dict[str, Any]]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        size = {"width": 1440, "height": 900}
        page = browser.new_page(viewport=size, device_scale_factor=asked.scale)
        page.goto(url)
        page.get_by_role("tab", name="Curate", exact=True).click()
        page.locator("#tm-curate[data-shown]").wait_for(timeout=60_000)
        page.keyboard.press("e")
        page.locator(".ed[data-ready]").wait_for(timeout=60_000)
        page.wait_for_timeout(1000)
        page.evaluate(WATCH)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        well = page.locator(".ed-layer").bounding_box()
        assert well is not None
        found = {}
        for zoom in ("fitted", "zoomed in"):
            if zoom == "zoomed in":
                page.mouse.move(well["x"] + well["width"] / 2, well["y"] + well["height"] / 2)
                for _ in range(4):
                    page.mouse.wheel(0, -400)
                page.wait_for_timeout(500)
            for brush in (10, 60, 200):
                page.get_by_role("slider", name="Brush size in pixels of the image").fill(
                    str(brush)
                )
                page.keyboard.press("2" if brush == 60 else "1")
                name = f"stroke, {zoom}, brush {brush} px"
                found[name] = _drawn(page, session, well, asked, "left")
            found[f"moving the picture, {zoom}"] = _drawn(page, session, well, asked, "middle")
            if zoom == "fitted":
                page.keyboard.press("Home")
        browser.close()
    return found


def _drawn(
    page: Any, session: Any, well: Any, asked: argparse.Namespace, button: str
) -> dict[str, Any]:
    """Strokes across the picture, up and down, and what the frames took."""
    page.evaluate("() => { window.tmFrames.painted = []; window.tmFrames.between = []; }")
    before = _worked(session)
    for stroke in range(asked.strokes):
        left, right = well["x"] + 0.2 * well["width"], well["x"] + 0.8 * well["width"]
        top = well["y"] + well["height"] * (0.2 + 0.6 * stroke / asked.strokes)
        page.mouse.move(left, top)
        page.wait_for_timeout(150)
        page.evaluate("() => { window.tmPause(); window.tmFrames.painted.pop(); }")
        page.mouse.down(button=button)
        for move in range(asked.moves):
            share = (move + 1) / asked.moves
            page.mouse.move(left + share * (right - left), top + 40 * np.sin(9 * share))
        page.mouse.up(button=button)
    worked = _worked(session) - before
    frames = page.evaluate("() => window.tmFrames")
    painted = np.array(frames["painted"])
    return {
        "frames": len(painted),
        "median": float(np.median(painted)),
        "p95": float(np.percentile(painted, 95)),
        "worst": float(painted.max()),
        "processor": 1000 * worked / len(painted),
        "between": float(np.median(frames["between"])),
    }


def _worked(session: Any) -> float:
    """Seconds of the processor that the page's main thread has taken for its tasks so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


if __name__ == "__main__":
    sys.exit(main())
