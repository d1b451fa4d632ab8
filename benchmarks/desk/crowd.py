"""Many reviewers at once, as a process of their own: what each waited, and what the server said.

    python -m benchmarks.desk.crowd PORT REVIEWERS SECONDS PAUSE OUT.json

Every reviewer has one connection and decides on masks of their own, one after the other, with PAUSE
seconds from one decision to the next (0: as soon as the last is answered).
"""

import http.client
import json
import random
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

HEADERS = {"X-Tagmask": "1", "Content-Type": "application/json"}


def main() -> None:
    """Decides until the time is over, and writes down every decision that was acknowledged."""
    port, reviewers, seconds, pause = int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:5])
    masks = waiting(port, reviewers * max(10, int(2 * seconds / max(pause, 0.1))))
    if len(masks) < reviewers:
        sys.exit(f"{len(masks)} masks wait, too few for {reviewers} reviewers")
    told: list[dict[str, Any]] = []
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(
            target=review, args=(port, number, masks[number::reviewers], pause, until, told)
        )
        for number in range(reviewers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Path(sys.argv[5]).write_text(json.dumps(told))


def waiting(port: int, count: int) -> list[dict[str, Any]]:
    """Undecided masks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found: list[dict[str, Any]] = []
    while len(found) < count:
        connection.request("GET", f"/tagmask/api/curate/queue?limit=200&offset={len(found)}")
        rows = json.load(connection.getresponse())["rows"]
        if not rows:
            break
        found += rows
    return found


def review(
    port: int,
    number: int,
    masks: list[dict[str, Any]],
    pause: float,
    until: float,
    told: list[dict[str, Any]],
) -> None:
    """One reviewer: the time of each decision is from its sending to its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    draw = random.Random(number)
    # Nobody starts at the same moment, and nobody keeps time like a clock.
    time.sleep(pause * draw.random())
    for mask in masks:
        begun = time.monotonic()
        if begun >= until:
            break
        act = uuid.uuid4().hex
        answer = decide(connection, mask, f"reviewer {number}", act, draw)
        took = time.monotonic() - begun
        told.append({"act": act, "status": answer, "ms": 1000 * took, "candidate": mask["id"]})
        time.sleep(max(0.0, pause * draw.uniform(0.5, 1.5) - took))


def decide(
    connection: http.client.HTTPConnection,
    mask: dict[str, Any],
    reviewer: str,
    act: str,
    draw: random.Random,
) -> int:
    """Sends one decision as the page does; the answer's status."""
    body = {
        "candidate": mask["id"],
        "digest": mask["digest"],
        "verdict": draw.choice(("accept", "reject", "skip")),
        "reviewer": reviewer,
        "session": reviewer,
        "action_id": act,
        "client_time": time.time(),
        "fixed": mask["fixed_id"],
    }
    connection.request("POST", "/tagmask/api/curate/decide", json.dumps(body), HEADERS)
    answer = connection.getresponse()
    answer.read()
    return answer.status


if __name__ == "__main__":
    main()
