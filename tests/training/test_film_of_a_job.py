"""The film of a job that really trains: its frames in the store, on the disk and in the page."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from backend.images import encode_png
from backend.labels import read_heat
from backend.launchers import LocalLauncher
from backend.maps.attention import resize
from backend.supervisor.lock import WorkspaceLock
from backend.supervisor.loop import Supervisor
from backend.workspace import Workspace
from training.film import PART

STEPS = 6
EVERY = 2


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Eight images: a red square tagged red on the left, or a green one tagged green below."""
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("filmed") / "ws"
    with Workspace.create(folder, classes=["red", "green"]) as made:
        for index in range(8):
            pixels = random.integers(90, 120, (48, 48, 3), dtype=np.uint8)
            where = (slice(4, 24), slice(4, 24)) if index % 2 == 0 else (slice(24, 44),) * 2
            pixels[(*where, index % 2)] = 230
            tag = 1 + index % 2
            made.store.images.add(f"image{index}", encode_png(pixels), source="test", tags=[tag])
        yield made


@pytest.fixture(scope="module")
def filmed(workspace: Workspace) -> tuple[dict[str, Any], Path, TestClient]:
    """What the page is told of the job when it is done, its run folder, and the page's server."""
    from ui.server import build_app

    # The page would start a supervisor of its own.
    lock = WorkspaceLock(workspace.root)
    lock.take()
    store = workspace.store
    snapshot = store.snapshots.freeze("all", "ada", include="tagged")
    words = ["--preset", "scenes", "--size", "48", "--batch", "4", "--precision", "32"]
    words += ["--device", "cpu", "--steps", str(STEPS), "--watch-every", str(EVERY)]
    words += ["--weights", "none", "--no-map-flip"]
    job = store.jobs.submit("seenet", words, snapshot=snapshot.digest, by="ada")
    supervisor = Supervisor(workspace, LocalLauncher())
    end = time.monotonic() + 240
    supervisor.tick()
    while supervisor.watches and time.monotonic() < end:
        supervisor.tick()
        time.sleep(0.05)
    supervisor.close()
    done = store.jobs.get(job.id)
    assert (done.state, done.error) == ("done", None)
    with TestClient(build_app(workspace)) as client:
        told = client.get("/tagmask/api/train/jobs", params={"job": job.id}).json()["job"]
    lock.release()
    return told, workspace.root / str(done.run_folder), client


def picture(answer_of: TestClient, job: int, name: str) -> np.ndarray:
    answer = answer_of.get(f"/tagmask/api/train/film/{job}/{name}")
    assert answer.status_code == 200
    data = np.frombuffer(answer.content, np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


def test_every_look_of_the_training_is_a_frame(filmed):
    told, folder, _ = filmed
    assert [frame["step"] for frame in told["film"]] == [2, 4, 6]
    names = {path.name for path in (folder / "film").iterdir()}
    assert names == {"photographs.jpg", "00000002.png", "00000004.png", "00000006.png"}
    for frame in told["film"]:
        assert (folder / frame["file"]).is_file()
        assert {place["image"] for place in frame["frame"]} == {f"image{n}" for n in range(8)}


def test_the_page_is_served_strips_of_one_size(filmed):
    told, _, client = filmed
    photographs = picture(client, told["id"], "photographs.jpg")
    assert photographs.shape[0] == PART
    for frame in told["film"]:
        strip = picture(client, told["id"], Path(frame["file"]).name)
        assert strip.shape == photographs.shape[:2]
        assert strip.dtype == np.uint8
        for place in frame["frame"]:
            shown = photographs[:, place["left"] : place["left"] + place["width"]]
            square = shown[10:40, 10:40] if place["tag"] == "red" else shown[55:80, 55:80]
            # OpenCV's order is blue, green, red.
            assert square.mean(axis=(0, 1)).argmax() == (2 if place["tag"] == "red" else 1)


def test_the_last_frame_is_the_maps_of_the_finished_run(filmed):
    told, folder, client = filmed
    last = told["film"][-1]
    strip = picture(client, told["id"], Path(last["file"]).name)
    for place in last["frame"]:
        heat = read_heat(folder / "maps" / place["image"] / f"{place['tag']}.png")
        expected = resize(heat[None], (PART, place["width"]))[0] * 255
        shown = strip[:, place["left"] : place["left"] + place["width"]].astype(np.float32)
        assert np.abs(shown - expected).max() < 4


def test_frames_differ_as_the_network_learns(filmed):
    told, _, client = filmed
    strips = [picture(client, told["id"], Path(f["file"]).name) for f in told["film"]]
    assert (strips[0] != strips[-1]).any()
