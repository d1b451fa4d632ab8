"""kill -9 of the web process in the middle of a burst of decisions, over HTTP, as reviewers send
them: what was acknowledged is there, and what is sent again is not there twice."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backend.images import encode_png
from backend.labels import encode_labels
from backend.store import open_store
from backend.supervisor import held
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
REVIEWERS = 4
IMAGES = 40


def fill(workspace: Workspace) -> None:
    """Images with a candidate each, which are decided on again and again."""
    draw = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = draw.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        image = workspace.store.images.add(
            f"image{number}", encode_png(pixels), source="test", tags=[1]
        )
        labels = np.zeros((12, 16), np.uint8)
        labels[: 1 + number % 11] = 1
        workspace.store.candidates.add(image.image.id, None, "test", encode_labels(labels))


@dataclass
class Reviewer:
    """Decides without a pause; what was not acknowledged is sent again first, as the page does."""

    name: str
    rows: list[dict[str, Any]]
    sent: int = 0
    unanswered: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def next(self) -> dict[str, Any]:
        row = self.rows[self.sent % len(self.rows)]
        self.sent += 1
        return {
            "candidate": row["id"], "digest": row["digest"], "reviewer": self.name, "session": "s",
            "verdict": "accept" if self.sent % 3 else "reject",
            "action_id": f"{self.name} {self.sent}",
        }  # fmt: skip

    def work(self, port: int, stop: threading.Event, *, fresh: bool = True) -> None:
        """Until told to stop or the server is gone; without `fresh` only what waits is sent."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {"X-Tagmask": "1", "Content-Type": "application/json"}
        while not stop.is_set() and (fresh or self.unanswered):
            act = self.unanswered[0] if self.unanswered else self.next()
            if act not in self.unanswered:
                self.unanswered.append(act)
            try:
                connection.request("POST", "/tagmask/api/curate/decide", json.dumps(act), headers)
                answer = connection.getresponse()
                told = json.load(answer)
            except (OSError, http.client.HTTPException, ValueError):
                # The server is dead, perhaps before it wrote, perhaps before it answered.
                return
            self.unanswered.remove(act)
            if answer.status == 200:
                self.acknowledged[act["action_id"]] = told["decision"]["id"]
            else:
                self.refused.append(told["error"])


def serve(root: Path) -> tuple[subprocess.Popen[bytes], int]:
    """`python app.py` on the workspace, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--workspace", str(root), "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "app.py", *words], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, "the app did not start; its reason is above"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", "/tagmask/api/curate/counts")
            if connection.getresponse().status == 200:
                return process, port
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise AssertionError("the app did not answer in time")


def test_every_acknowledged_decision_is_there_and_none_twice(
    tmp_path: Path, long_sweep: bool
) -> None:
    root = tmp_path / "ws"
    with Workspace.create(root, "Faults", classes=("cat", "dog")) as made:
        fill(made)
        rows = [vars(row) for row in made.store.candidates.queue(limit=IMAGES).rows]
    reviewers = [Reviewer(f"reviewer {n}", rows[n::REVIEWERS]) for n in range(REVIEWERS)]
    draw = random.Random(0)
    kills = 50 if long_sweep else 2
    try:
        for _ in range(kills):
            before = sum(len(each.acknowledged) for each in reviewers)
            process, port = serve(root)
            stop = threading.Event()
            threads = [threading.Thread(target=each.work, args=(port, stop)) for each in reviewers]
            for thread in threads:
                thread.start()
            end = time.monotonic() + 60
            while sum(len(each.acknowledged) for each in reviewers) == before:
                assert time.monotonic() < end, "no decision was acknowledged"
                time.sleep(0.01)
            time.sleep(draw.uniform(0.0, 0.8))
            process.kill()
            process.wait()
            stop.set()
            for thread in threads:
                thread.join(30)
        # The page sends once more what waits in it; afterwards nothing is open.
        process, port = serve(root)
        for each in reviewers:
            each.work(port, threading.Event(), fresh=False)
            assert not each.unanswered, "the app is up, so nothing may stay open"
        process.terminate()
        process.wait(30)
    finally:
        if held(root):
            supervisor = int((root / "supervisor.lock").read_text().split()[0])
            os.kill(supervisor, signal.SIGTERM)
    with open_store(root / "tagmask.db", root / "files") as store:
        assert store.check() == []
        log = {row.action_id: row for row in store.decisions.latest(1_000_000)}
        assert len(log) == store.decisions.count()
        for each in reviewers:
            assert each.refused == []
            assert each.acknowledged == {
                action: row.id for action, row in log.items() if row.reviewer == each.name
            }
        # Every reviewer's last word on each mask is what the queue shows.
        for row in rows:
            last = max(
                (said for said in log.values() if said.candidate_id == row["id"]),
                key=lambda said: said.id,
                default=None,
            )
            now = store.candidates.get(row["id"])
            assert now.verdict == (last.verdict if last else "undecided")
