"""How the web app bears a workspace of 20,000 images: python -m benchmarks.large_workspace.

    python -m benchmarks.large_workspace [--images 20000] [--at FOLDER] [--visits 5]

Builds the workspace in FOLDER, or uses the one that is there, serves it with app.py and measures:
from the start of a visit in Chromium to usable tabs (all visible thumbnails of Inspect painted; the
first candidate of Curate painted), pages of the queue over HTTP, and the web process's memory.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import psutil

from benchmarks.store import Look, build, tiny

PROJECT = Path(__file__).resolve().parents[1]
SIDE = 32
USABLE_SECONDS, QUERY_MILLISECONDS, MEMORY_GIGABYTES = 2.0, 50.0, 1.0

# Seconds since the navigation began, at the first frame in which it holds.
INSPECT_USABLE = """() => {
  const holder = document.querySelector("#tm-inspect .tmv-thumbs")?.getBoundingClientRect();
  const images = [...document.querySelectorAll("#tm-inspect .tmv-thumb img")];
  const seen = images.filter((img) => img.getBoundingClientRect().top < holder.bottom);
  const painted = seen.length && seen.every((img) => img.complete && img.naturalWidth);
  return painted ? performance.now() / 1000 : null;
}"""
CURATE_USABLE = """() => {
  return document.querySelector("#tm-curate[data-shown]") ? performance.now() / 1000 : null;
}"""


def main() -> None:
    """Builds where needed, serves, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument(
        "--at", type=Path, help="kept from run to run; else in the temporary folder"
    )
    parser.add_argument("--visits", type=int, default=5)
    options = parser.parse_args()
    root = options.at or Path(tempfile.gettempdir()) / f"tagmask-large-{options.images}"
    prepare(root, options.images)
    with served(root) as (port, process, started):
        print(f"app.py to its first answer: {started:.1f} s")
        queries(port, options.images)
        visits(port, options.visits)
        queries(port, options.images)
        memory(process)


def prepare(root: Path, count: int, look: Look | None = None) -> None:
    """Makes the workspace once: tiny images where no look is given, each with two tags and two
    scored candidates.
    """
    if (root / "workspace.json").is_file():
        return
    partial = root.with_name(f"{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    began = time.perf_counter()
    build(partial, count, seed=0, look=look or tiny(SIDE))
    partial.rename(root)
    print(f"built {count:,} images in {time.perf_counter() - began:.0f} s, kept in {root}")


@contextmanager
def served(root: Path) -> Iterator[tuple[int, psutil.Process, float]]:
    """app.py on the workspace: its port, its process, and the seconds to its first answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.perf_counter()
    command = [sys.executable, "app.py", "--workspace", str(root), "--port", str(port)]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                ask(http.client.HTTPConnection("127.0.0.1", port, timeout=30), "curate/counts")
                break
            except ConnectionRefusedError:
                if process.poll() is not None:
                    sys.exit("app.py did not start; its reason is above")
                time.sleep(0.02)
        yield port, psutil.Process(process.pid), time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)
        lock = root / "supervisor.lock"
        holder = lock.read_text().split() if lock.exists() else []
        if holder and psutil.pid_exists(int(holder[0])):
            os.kill(int(holder[0]), signal.SIGTERM)


def ask(connection: http.client.HTTPConnection, path: str, **query: Any) -> Any:
    """The JSON of a GET."""
    words = urlencode({name: value for name, value in query.items() if value is not None})
    connection.request("GET", f"/tagmask/api/{path}?{words}")
    return json.load(connection.getresponse())


def queries(port: int, count: int) -> None:
    """Pages of the queue as the page asks for them: in each order, filtered, far behind."""
    draw = random.Random(0)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    kinds: dict[str, Any] = {
        "lowest score": dict,
        "far behind": lambda: {"offset": draw.randrange(2 * count)},
        "newest": lambda: {"order": "newest"},
        "by name": lambda: {"order": "name"},
        "random": lambda: {"order": "random", "seed": draw.randrange(1000)},
        "one tag": lambda: {"tag": draw.randrange(1, 11)},
        "score range": lambda: {"min_score": 0.4, "max_score": 0.6},
        "part of a name": lambda: {"query": f"{draw.randrange(count):06d}"[:-1]},
    }
    everything: list[float] = []
    for name, make in kinds.items():
        times = []
        for _ in range(20):
            query = make()
            began = time.perf_counter()
            page = ask(connection, "curate/queue", limit=50, **query)
            times.append(1000 * (time.perf_counter() - began))
            assert page["rows"]
        everything += times
        print(f"  queue page, {name:<16} {spread(times)}")
    print(
        f"queue page over HTTP          {spread(everything)}   target {QUERY_MILLISECONDS:.0f} ms"
    )


def spread(times: list[float]) -> str:
    """p50 and p95 in milliseconds."""
    p50, p95 = np.percentile(times, (50, 95))
    return f"p50 {p50:6.1f} ms   p95 {p95:6.1f} ms"


def visits(port: int, count: int) -> None:
    """First visits (an empty browser cache) and returns, in Chromium."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium here, so visits are not measured (on Debian: apt-get install chromium)")
        return
    address = f"http://127.0.0.1:{port}"
    found: dict[str, list[float]] = {}

    def note(kind: str, page: Any, script: str, since: float = 0.0) -> None:
        reached = page.wait_for_function(script, polling="raf", timeout=60_000).json_value()
        found.setdefault(kind, []).append(reached - since)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(count):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            for visit in ("first visit", "return"):
                page = context.new_page()
                page.goto(address, wait_until="commit")
                note(f"{visit}: Inspect usable", page, INSPECT_USABLE)
                clicked = page.evaluate("performance.now() / 1000")
                page.get_by_role("tab", name="Curate", exact=True).click()
                note(f"{visit}: Curate after its click", page, CURATE_USABLE, clicked)
                page.close()
            context.close()
        browser.close()
    for kind, times in found.items():
        target = f"   target {USABLE_SECONDS:.0f} s" if "Inspect" in kind else ""
        told = f"median {statistics.median(times):5.2f} s   worst {max(times):5.2f} s"
        print(f"{kind:<36} {told}{target}")


def memory(process: psutil.Process) -> None:
    """Resident memory of the web process, and of what it started."""
    own = process.memory_info().rss / 1e9
    children = sum(child.memory_info().rss for child in process.children()) / 1e9
    print(f"resident memory of the web process: {own:.2f} GB   target {MEMORY_GIGABYTES:.0f} GB")
    print(f"  of the processes it started (CRF): {children:.2f} GB")


if __name__ == "__main__":
    main()
