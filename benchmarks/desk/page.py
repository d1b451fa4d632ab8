"""What a person at the page waits for, in Chromium: the next mask, and a gallery that moves."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# Longer than this between two frames, a movement is seen to stop.
STALL_MS = 100.0

# From the key's own time stamp to after the frame in which the next mask was painted.
KEYS = """() => {
  const root = document.querySelector("#tm-curate");
  window.tmKeys = [];
  let pressed = null;
  document.addEventListener("keydown", (event) => { pressed = event.timeStamp; }, true);
  new MutationObserver(() => {
    if (pressed === null) return;
    const since = pressed;
    pressed = null;
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => window.tmKeys.push(performance.now() - since);
      channel.port2.postMessage(null);
    });
  }).observe(root, { attributes: true, attributeFilter: ["data-shown"] });
}"""

FRAMES = """() => {
  window.tmFrames = [];
  let last = null;
  const frame = (now) => {
    if (last !== null) window.tmFrames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


@contextmanager
def opened(port: int) -> Iterator[Any]:
    """A page of the app at 1440x900."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium here (on Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"http://127.0.0.1:{port}")
        yield page
        browser.close()


def next_masks(port: int, presses: int, apart_ms: int) -> dict[str, list[float]]:
    """Milliseconds from a key to the next mask painted, by what was pressed."""
    with opened(port) as page:
        page.get_by_role("tab", name="Curate", exact=True).click()
        page.locator("#tm-curate[data-shown]").wait_for(timeout=60_000)
        page.wait_for_timeout(1000)
        page.evaluate(KEYS)
        return {
            f"a, x, Space, one in {apart_ms} ms": pressed(page, "ax ", presses, apart_ms),
            "the same, as soon as the last is painted": pressed(page, "ax ", presses, 0),
            "arrows, one in 250 ms": pressed(page, ["ArrowRight", "ArrowLeft"], presses // 2, 250),
        }


def pressed(page: Any, keys: Any, presses: int, apart_ms: int) -> list[float]:
    """Presses each key in turn, waiting for what it brings."""
    page.evaluate("() => { window.tmKeys.length = 0; }")
    for number in range(presses):
        key = keys[number % len(keys)]
        page.keyboard.press("Space" if key == " " else key)
        page.wait_for_function("(n) => window.tmKeys.length > n", arg=number, polling=20)
        page.wait_for_timeout(apart_ms)
    return list(page.evaluate("() => window.tmKeys"))


def scrolled(port: int, turns: int) -> list[float]:
    """Milliseconds from frame to frame while the grid of all images is scrolled by the wheel."""
    with opened(port) as page:
        page.get_by_role("tab", name="Tags", exact=True).click()
        page.locator(".ta-tile.here").first.wait_for(timeout=60_000)
        box = page.locator(".ta-grid").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_timeout(1000)
        page.evaluate(FRAMES)
        for _ in range(turns):
            page.mouse.wheel(0, 120)
            page.wait_for_timeout(30)
        moved = page.evaluate("document.querySelector('.ta-grid').scrollTop")
        assert moved > 50 * turns, "the grid did not move"
        return list(page.evaluate("() => window.tmFrames"))


def told(times: list[float]) -> str:
    """p50, p95 and the worst."""
    p50, p95 = np.percentile(times, (50, 95))
    return f"p50 {p50:6.1f}   p95 {p95:6.1f}   worst {max(times):6.1f} ms   ({len(times)})"
