"""Makes the pictures in docs/screenshots: every tab of the running app, on a workspace of its own.

    make screenshots            (or: python docs/screenshots.py [--keep DIR])

Paints sample scenes, decides on some candidates, trains for a little, asks a classifier for tags,
and takes each tab in light and dark, at 1440x900 and at 1024x768. Then scores the candidates,
trains a segmenter from the chosen ones, and takes Curate and Train with these; at last the login.
"""

import argparse
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "screenshots"
SIZES = ((1440, 900), (1024, 768))
LOOKS = tuple((theme, *size) for theme, size in product(("light", "dark"), SIZES))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WAIT = 120_000
TRAINED = 900_000

# A picture shows the reader's folders, not those of the machine it was taken on.
_FOLDERS: list[list[str]] = []
_PLAIN_FOLDERS = """(pairs) => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    for (const [from, to] of pairs) {
      if (walk.currentNode.data.includes(from)) {
        walk.currentNode.data = walk.currentNode.data.replaceAll(from, to);
      }
    }
  }
}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="a folder for the workspace, used again if there")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    options = parser.parse_args()
    if chromium is None:
        print("No chromium here. On Debian: apt-get install chromium", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        workspace = (options.keep or Path(scratch)) / "workspace"
        _FOLDERS.append([str(workspace.absolute()), "workspace"])
        fresh = not workspace.exists()
        if fresh:
            _make(workspace)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with _served(workspace) as address:
            if fresh:
                _live_in(browser, address)
            for look in LOOKS:
                _take(browser, address, *look)
                _take_curating(browser, address, *look)
                _take_showing(browser, address, *look)
            if not any((workspace / "runs").glob("*-sal")):
                _score(browser, address)
            for theme in ("light", "dark"):
                _take_scores(browser, address, theme, 1440, 900)
            _take_policy(browser, address, "light", 1440, 900)
        # Users of the workspace itself would ask for a login when it is used again.
        shared = Path(scratch) / "shared"
        _backend("backup", str(workspace), str(shared))
        _backend("users", "add", str(shared), "ada", "--role", "trainer", "--generate")
        with _served(shared) as address:
            for look in LOOKS:
                _take_login(browser, address, *look)
        browser.close()
    return 0


def _make(workspace: Path) -> None:
    """Scenes with candidates; some have lost a tag, so that a classifier has something to say."""
    _backend("init", str(workspace), "--scenes", "90", "--name", "Harbour study")
    for number in range(0, 90, 4):
        for name in ("cat", "boat", "train", "duck"):
            words = ["--images", f"scene-{number:05d}", "--take", name, "--by", "Grace"]
            _backend("tags", str(workspace), *words)


def _backend(*words: str) -> None:
    command = [sys.executable, "-m", "backend", *words]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _served(workspace: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "app.py", "--workspace", str(workspace), "--port", str(port)]
    app = subprocess.Popen(command, cwd=ROOT)
    try:
        address = f"http://127.0.0.1:{port}"
        _until_up(address)
        yield address
    finally:
        app.terminate()
        app.wait()
        _stop_supervisor(workspace)


def _live_in(browser: Browser, address: str) -> None:
    """Decisions, a run, its candidates and a classifier's word on the tags: no tab is empty."""
    page = _open(browser, address, "light", 1440, 900)
    _curate(page)
    for key in "aaxaaaxa aaaxaaaa aax":
        page.keyboard.press("Space" if key == " " else key)
        page.wait_for_timeout(150)
    page.get_by_text("All decisions saved").wait_for(timeout=WAIT)
    _tab(page, "Tags")
    page.get_by_role("button", name="Ask the classifier…").click(timeout=WAIT)
    page.get_by_role("button", name="Look at all images").click()
    _tab(page, "Train")
    page.locator("#tm-train .tr-freeze-go").click()
    page.wait_for_timeout(1000)
    page.locator("#tr-data").select_option(index=0)
    page.locator("#tr-recipe").select_option("oaa")
    page.locator('#tm-train [data-preset="scenes"]').click()
    page.locator("#tm-train .tr-go:enabled").click()
    _until_done(page, "oaa")
    page.locator("#tm-train .tr-candidates").click()
    _until_done(page, "labels")
    page.context.close()


def _until_done(page: Page, recipe: str) -> None:
    """Until the job of this recipe, which is in view, has ended well."""
    heading = page.locator("h2", has_text=re.compile(rf"^\d+ {recipe}( |$)"))
    title = page.locator("#tm-train .tr-title", has=heading)
    title.locator('[data-state="done"]').wait_for(timeout=TRAINED)


def _take(browser: Browser, address: str, theme: str, width: int, height: int) -> None:
    """Inspect, alone and with a second method beside it, Train, and Data with its people."""
    page = _open(browser, address, theme, width, height)
    scored = page.locator('.tmv-panel[data-stage="sal.score"] .tmv-caption span')
    scored.wait_for(timeout=WAIT)
    page.locator('.tmv-panel[data-stage="saliency"] .tmv-picture').first.hover()
    _shoot(page, "inspect", theme, width)
    name = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('image')")
    weights = page.locator("#tm-inspect optgroup[label='Trained here'] option").first
    run = weights.get_attribute("value")
    page.goto(f"{address}/#image={name}&weights={run}&weights2=shipped:scenes-slim")
    page.reload()
    scored.nth(1).wait_for(timeout=WAIT)
    _shoot(page, "compare", theme, width)
    page.keyboard.press("c")
    _tab(page, "Train")
    page.locator("#tm-train .tr-jobs tr", has_text="oaa").first.click(timeout=WAIT)
    page.locator("#tm-train .tr-canvas").wait_for(timeout=WAIT)
    _shoot(page, "train", theme, width)
    _tab(page, "Data")
    page.locator("#tm-data tbody tr").first.wait_for(timeout=WAIT)
    _shoot(page, "data", theme, width)
    page.get_by_role("button", name="Progress, sharing out, agreement…").click()
    _shoot(page, "people", theme, width)
    page.context.close()


def _take_curating(browser: Browser, address: str, theme: str, width: int, height: int) -> None:
    """Curate, the mask editor, and Tags as a grid and one by one."""
    page = _open(browser, address, theme, width, height)
    _curate(page)
    _shoot(page, "curate", theme, width)
    page.keyboard.press("e")
    page.locator(".ed[data-ready]").wait_for(timeout=WAIT)
    page.keyboard.press("g")
    page.wait_for_timeout(2500)
    _shoot(page, "editor", theme, width)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    _tab(page, "Tags")
    page.get_by_role("button", name=re.compile("^Suggested")).click(timeout=WAIT)
    page.locator(".ta-tile.here").first.wait_for(timeout=WAIT)
    page.locator(".ta-tile").nth(1).click()
    _shoot(page, "tags", theme, width)
    page.locator(".ta-tile").nth(1).dblclick()
    page.locator(".ta-single img").first.wait_for(timeout=WAIT)
    _shoot(page, "tags-one", theme, width)
    page.context.close()


def _take_showing(browser: Browser, address: str, theme: str, width: int, height: int) -> None:
    """Compare, and a figure."""
    page = _open(browser, address, theme, width, height)
    _tab(page, "Compare")
    page.locator('#tm-compare[data-state="done"]:not([data-shown=""])').wait_for(timeout=WAIT)
    _shoot(page, "runs", theme, width)
    page.locator("#tm-compare").get_by_role("button", name="Figure…").click()
    page.locator("dialog.cp-figure[data-drawn]").wait_for(timeout=WAIT)
    _shoot(page, "figure", theme, width)
    page.context.close()


def _take_login(browser: Browser, address: str, theme: str, width: int, height: int) -> None:
    page = _page(browser, theme, width, height)
    page.goto(address)
    page.get_by_label("Password").wait_for(timeout=WAIT)
    _shoot(page, "login", theme, width)
    page.context.close()


def _score(browser: Browser, address: str) -> None:
    """A mask scorer, its scores of the candidates, and a segmenter from those that were chosen."""
    page = _open(browser, address, "light", 1440, 900)
    _tab(page, "Train")
    for recipe in ("scorer", "score", "sal"):
        page.locator("#tr-recipe").select_option(recipe)
        page.locator("#tr-data").select_option(index=0)
        if recipe == "score":
            page.locator("#tr-score-scorer").select_option(index=1)
        else:
            page.locator('#tm-train [data-preset="scenes"]').click()
        if recipe == "sal":
            _freeze_all(page)
        page.locator("#tm-train .tr-go:enabled").click()
        _until_done(page, recipe)
    page.context.close()


def _freeze_all(page: Page) -> None:
    """A snapshot of all candidates, its rules counted."""
    page.get_by_role("button", name="Freeze all candidates").click()
    page.locator("#tm-train .tr-rules tbody tr").first.wait_for(timeout=WAIT)
    page.wait_for_function(
        "!document.querySelector('#tm-train .tr-command-text').textContent.includes('TAGGED')"
    )


def _take_scores(browser: Browser, address: str, theme: str, width: int, height: int) -> None:
    page = _open(browser, address, theme, width, height)
    _curate(page)
    page.get_by_role("combobox", name="Order of the queue").select_option("tau")
    page.locator(".cu-item-text", has_text="from tau").first.wait_for(timeout=WAIT)
    page.get_by_role("button", name="Masks at the line").click()
    page.locator(".cu-thumb").first.wait_for(timeout=WAIT)
    page.keyboard.press("d")
    page.evaluate("document.activeElement.blur()")
    _shoot(page, "curate-scores", theme, width)
    page.context.close()


def _take_policy(browser: Browser, address: str, theme: str, width: int, height: int) -> None:
    """The form of `sal` with the rules of its policy, beside the run that ended."""
    page = _open(browser, address, theme, width, height)
    _tab(page, "Train")
    page.locator("#tr-recipe").select_option("sal")
    page.locator('#tm-train [data-preset="scenes"]').click()
    _freeze_all(page)
    page.locator("#tm-train .tr-film-strip canvas").first.wait_for(timeout=WAIT)
    page.locator("#tm-train .tr-form-body").evaluate("(one) => { one.scrollTop = 1e5; }")
    page.evaluate("document.activeElement.blur()")
    page.locator(".tm-toast").first.wait_for(state="detached", timeout=WAIT)
    _shoot(page, "train-sal", theme, width)
    page.context.close()


def _page(browser: Browser, theme: str, width: int, height: int) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.add_init_script("localStorage.setItem('tagmask.reviewer', 'Ada')")
    return page


def _open(browser: Browser, address: str, theme: str, width: int, height: int) -> Page:
    page = _page(browser, theme, width, height)
    page.goto(address)
    page.locator("#tm-inspect .tmv-thumb").first.wait_for(timeout=WAIT)
    return page


def _tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def _curate(page: Page) -> None:
    _tab(page, "Curate")
    page.locator("#tm-curate[data-shown]").wait_for(timeout=WAIT)


def _shoot(page: Page, tab: str, theme: str, width: int) -> None:
    page.wait_for_timeout(900)
    page.evaluate(_PLAIN_FOLDERS, [[sys.executable, "python"], *_FOLDERS])
    OUT.mkdir(exist_ok=True)
    page.screenshot(path=OUT / f"{tab}-{theme}-{width}.png")


def _until_up(address: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    raise SystemExit("The app did not start; its lines are above.")


def _stop_supervisor(workspace: Path) -> None:
    lock = workspace / "supervisor.lock"
    words = lock.read_text().split() if lock.exists() else []
    if words and words[0].isdigit():
        subprocess.run(["kill", words[0]], check=False)


if __name__ == "__main__":
    sys.exit(main())
