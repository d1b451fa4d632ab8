"""The web app among full disks, broken weights, full GPUs and killed processes.

Each time: a sentence on the page or on stderr, nothing lost, and the process goes on.
"""

import json
import os
import resource
import shlex
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

import app as app_module
from backend.images import encode_png
from backend.labels import encode_labels
from backend.networks import CAFFE, CamClassifier
from backend.supervisor import held
from backend.weights import WeightsCard, save
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
FAKE = shlex.join([sys.executable, str(ROOT / "tests" / "fake_trainer.py")])
HEADERS = {"X-Tagmask": "1", "Origin": "http://testserver"}


def fill(workspace: Workspace, count: int = 3) -> None:
    """Tagged images, each with a candidate."""
    draw = np.random.default_rng(0)
    for number in range(count):
        pixels = draw.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        image = workspace.store.images.add(
            f"image{number}", encode_png(pixels), source="test", tags=[1]
        )
        labels = np.zeros((24, 32), np.uint8)
        labels[4:12, 6:20] = 1
        workspace.store.candidates.add(image.image.id, None, "test", encode_labels(labels))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "ws", "Faults", classes=("cat", "dog")) as made:
        fill(made)
        yield made


@pytest.fixture
def client(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The web application; its supervisor, if it started one, ends with it."""
    from ui.server import build_app

    monkeypatch.setenv("TAGMASK_TRAINER", FAKE)
    with TestClient(build_app(workspace), headers=HEADERS) as test_client:
        yield test_client
    if held(workspace.root):
        os.kill(supervisor_of(workspace.root), signal.SIGTERM)
        wait_for(lambda: not held(workspace.root))


def supervisor_of(root: Path) -> int:
    return int((root / "supervisor.lock").read_text().split()[0])


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def post(client: TestClient, path: str, **body: Any) -> Any:
    return client.post(f"/tagmask/api/{path}", json=body)


def decide(client: TestClient, row: dict, action: str, verdict: str = "accept") -> Any:
    return post(
        client, "curate/decide", candidate=row["id"], digest=row["digest"], verdict=verdict,
        reviewer="ada", session="s", action_id=action,
    )  # fmt: skip


def queue(client: TestClient) -> list[dict]:
    return client.get("/tagmask/api/curate/queue").json()["rows"]


def sentence(answer: Any) -> str:
    """The reason in an answer that is a refusal: one or two sentences, no trace."""
    assert answer.status_code >= 400
    said = answer.json()["error"]
    assert said.endswith(".")
    assert "Traceback" not in said
    return said


# ---------------------------------------------------------------- disks and databases


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond a page, so that writing fails half way, as on a full disk."""
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, heard)


def test_on_a_full_disk_every_change_is_refused_and_looking_goes_on(
    client: TestClient, workspace: Workspace
) -> None:
    rows = queue(client)
    assert decide(client, rows[0], "before").status_code == 200
    large = encode_png(np.random.default_rng(1).integers(0, 255, (99, 99, 3), dtype=np.uint8))
    with full_disk():
        refused = [
            decide(client, rows[1], "during"),
            post(client, "curate/undo", reviewer="ada", session="s", action_id="back"),
            post(client, "inspect/tags", image="image1", tags=["dog"]),
            post(client, "data/classes", name="bird"),
            post(client, "data/snapshots", name="first", reviewer="ada"),
        ]
        upload = client.post("/tagmask/api/upload", files=[("files", ("a.png", large))])
        assert len(queue(client)) == 2
        assert client.get("/tagmask/api/data/summary").json()["images"] == 3
    for answer in refused:
        # A page keeps what it wanted to say and says it again: 5xx means "later", 4xx "never".
        assert answer.status_code >= 500, answer.text
        assert "Make room" in sentence(answer) or "make room" in sentence(answer)
    assert upload.json()["counts"] == {"added": 0, "duplicate": 0, "refused": 1}
    assert workspace.store.decisions.count() == 1
    assert workspace.store.images.count() == 3
    assert workspace.store.snapshots.all() == []

    assert decide(client, rows[1], "during").status_code == 200
    assert decide(client, rows[1], "during").status_code == 200
    assert workspace.store.decisions.count() == 2
    assert workspace.store.check() == []


def test_a_database_that_another_program_holds_delays_a_decision(
    client: TestClient, workspace: Workspace
) -> None:
    workspace.store.connections.busy = 0.1
    row = queue(client)[0]
    other = sqlite3.connect(workspace.root / "tagmask.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = wait_for(lambda: decide(client, row, "a1"))
    assert answer.status_code == 503
    assert "in use by another program" in sentence(answer)
    other.execute("ROLLBACK")
    other.close()
    assert decide(client, row, "a1").status_code == 200
    assert workspace.store.decisions.count() == 1


def test_a_photograph_that_was_deleted_by_hand_is_named(
    client: TestClient, workspace: Workspace
) -> None:
    image = workspace.store.images.by_name("image0")
    workspace.files.path(image.digest).unlink()
    for path in (f"/tagmask/files/{image.digest}", f"/tagmask/thumbs/{image.digest}"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "restore it from a backup" in sentence(answer)
    assert len(queue(client)) == 3


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("workspace.json", b"{ torn", "workspace.json"),
        ("workspace.json", b'{"format": 99}', "update Tagmask"),
        ("workspace.json", None, "is not a workspace"),
        ("tagmask.db", b"no database at all, but long enough" * 99, "damaged"),
        ("tagmask.db", None, "no database"),
    ],
)
def test_a_workspace_that_is_not_whole_is_explained_and_left_alone(
    workspace: Workspace, capsys: Any, file: str, content: bytes | None, told: str
) -> None:
    workspace.close()
    if content is None:
        (workspace.root / file).unlink()
    else:
        (workspace.root / file).write_bytes(content)
    before = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    assert app_module.main(["--workspace", str(workspace.root), "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tagmask: ")
    assert told in said
    after = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    assert after == before


@pytest.fixture
def frozen_disk(workspace: Workspace) -> Iterator[Path]:
    """The workspace on a disk, or in a folder, that takes no writing."""
    workspace.close()
    if os.geteuid() != 0:
        folders = [path for path in workspace.root.rglob("*") if path.is_dir()]
        for folder in [workspace.root, *folders]:
            folder.chmod(0o555)
        yield workspace.root
        for folder in [workspace.root, *folders]:
            folder.chmod(0o755)
        return
    mount = ["mount", "-t", "tmpfs", "tagmask-test"]
    place = workspace.root.parent / "disk"
    place.mkdir()
    if subprocess.run([*mount, str(place)], capture_output=True, check=False).returncode != 0:
        pytest.skip("this container does not let root mount a file system")
    try:
        shutil.copytree(workspace.root, place / "ws")
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        yield place / "ws"
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_workspace_on_a_read_only_disk_can_be_looked_at_and_says_so(
    frozen_disk: Path, capsys: Any
) -> None:
    from ui.server import build_app

    assert app_module.main(["--workspace", str(frozen_disk), "--port", "0"]) == 2
    assert "--read-only" in capsys.readouterr().err
    with (
        Workspace.open(frozen_disk, read_only=True) as opened,
        opened.lock_app("http://127.0.0.1:1"),
        TestClient(build_app(opened, read_only=True), headers=HEADERS) as client,
    ):
        rows = queue(client)
        assert len(rows) == 3
        assert client.get(f"/tagmask/thumbs/{rows[0]['image_digest']}").status_code == 200
        assert client.get("/tagmask/api/train/jobs").status_code == 200
        answer = decide(client, rows[0], "a1")
        assert answer.status_code == 403
        assert "read-only" in sentence(answer)


def test_a_saliency_folder_that_is_gone_is_named_at_the_start(
    workspace: Workspace, capsys: Any
) -> None:
    workspace.close()
    settings = json.loads((workspace.root / "workspace.json").read_bytes())
    settings["saliency"] = {"mine": str(workspace.root / "nowhere")}
    (workspace.root / "workspace.json").write_text(json.dumps(settings))
    assert app_module.main(["--workspace", str(workspace.root), "--port", "0"]) == 2
    assert str(workspace.root / "nowhere") in capsys.readouterr().err


# ---------------------------------------------------------------- weights and memory


@pytest.fixture
def run(workspace: Workspace) -> int:
    """A finished run with the slim network, which knows cats."""
    torch.manual_seed(0)
    network = CamClassifier("slim", 1, head_channels=8, head_layers=1)
    card = WeightsCard(
        name="small", kind="cam", backbone="slim", stride=network.backbone.stride,
        classes=("cat",), class_ids=(1,), normalisation=CAFFE, input_size=32,
        architecture=network.settings,
    )  # fmt: skip
    folder = workspace.runs / "first"
    folder.mkdir()
    save(folder / "weights.safetensors", network.eval(), card)
    id = workspace.store.runs.add("First run", "classify", folder)
    workspace.store.runs.finish(id, {}, "weights.safetensors")
    return id


def captions(answer: Any) -> list[str]:
    """Stages and captions of a streamed inspection, or its refusal."""
    if answer.status_code != 200:
        return [f"error: {sentence(answer)}"]
    data, found = answer.content, []
    while data:
        (length,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + length])
        found.append(f"{header['stage']}: {header.get('caption', '')}")
        data = data[4 + length + header["bytes"] :]
    return found


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def shortened(data: bytes) -> bytes:
    """The header is whole and promises more than there is."""
    return data[:-64]


def emptied(data: bytes) -> bytes:
    return b""


def blanked(data: bytes) -> bytes:
    return bytes(len(data))


@pytest.mark.parametrize("spoil", [truncated, shortened, emptied, blanked])
def test_corrupt_weights_are_a_sentence_and_other_work_goes_on(
    client: TestClient, workspace: Workspace, run: int, spoil: Callable[[bytes], bytes]
) -> None:
    path = workspace.runs / "first" / "weights.safetensors"
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    told = captions(post(client, "inspect", image="image0", weights=f"run:{run}"))
    assert any(line.startswith("error: ") and len(line) > 30 for line in told)
    options = client.get("/tagmask/api/inspect/options")
    assert options.status_code == 200
    assert decide(client, queue(client)[0], "a1").status_code == 200
    path.write_bytes(whole)
    told = captions(post(client, "inspect", image="image0", weights=f"run:{run}"))
    assert told[-1].startswith("done")
    assert not any(line.startswith("error") for line in told)


def no_memory(*_: Any, **__: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("where", ["forward", "to"])
def test_a_full_gpu_is_a_sentence_in_inspect_and_the_next_image_works(
    client: TestClient, run: int, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(CamClassifier, where, no_memory)
        told = captions(post(client, "inspect", image="image0", weights=f"run:{run}"))
        (error,) = [line for line in told if line.startswith("error: ")]
        assert "--device cpu" in error
    told = captions(post(client, "inspect", image="image0", weights=f"run:{run}"))
    assert [line for line in told if line.startswith("cam:")]


@pytest.mark.parametrize("moment", ["step", "maps", "optimiser"])
def test_a_full_gpu_ends_a_training_with_what_to_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, moment: str
) -> None:
    from training.cli import main

    data = tmp_path / "data"
    data.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 255, (48, 48, 3), dtype=np.uint8)
        (data / f"{number}.png").write_bytes(encode_png(pixels))
    (data / "tags.csv").write_text("image,tags\n0,cat\n1,dog\n2,cat dog\n3,cat\n")
    forward = CamClassifier.forward

    def full(network: CamClassifier, images: torch.Tensor) -> Any:
        if network.training == (moment == "step"):
            no_memory()
        return forward(network, images)

    if moment == "optimiser":
        # Its buffers are made at the first step, when the memory is fullest.
        monkeypatch.setattr(torch.optim.AdamW, "step", no_memory)
    else:
        monkeypatch.setattr(CamClassifier, "forward", full)
    words = ["classify", "--data", str(data), "--out", str(tmp_path / "run"), "--preset", "scenes"]
    words += ["--batch", "2", "--size", "48", "--epochs", "1", "--device", "cpu"]
    assert main(words) == 2
    told = "Lower --batch (now 2)" if moment == "step" else "Lower --batch or --size"
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").open()]
    assert events[-1]["kind"] == "failed"
    assert told in events[-1]["error"]


# ---------------------------------------------------------------- jobs, seen from the page


def submit(client: TestClient, **options: Any) -> int:
    answer = post(
        client, "train/submit", recipe="classify", data="tagged", reviewer="ada", options=options
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["job"]


ENDED = ("done", "failed", "cancelled", "lost")


def seen(client: TestClient, job: int) -> dict[str, Any]:
    rows = client.get("/tagmask/api/train/jobs").json()["jobs"]
    return next(row for row in rows if row["id"] == job)


def test_a_killed_trainer_is_told_on_the_page_and_can_be_resumed(
    client: TestClient, workspace: Workspace
) -> None:
    job = submit(client, steps=60, pause=0.03)
    wait_for(lambda: workspace.store.jobs.get(job).progress.get("step", 0) >= 3)
    os.kill(workspace.store.jobs.get(job).pid, signal.SIGKILL)
    row = wait_for(lambda: (row := seen(client, job))["state"] == "lost" and row)
    assert "SIGKILL" in row["error"]
    assert post(client, "train/resume", job=job).status_code == 200
    row = wait_for(lambda: (row := seen(client, job))["state"] in ENDED and row)
    assert (row["state"], row["error"]) == ("done", None)


def test_a_killed_supervisor_is_replaced_when_somebody_looks(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.routes.train._WAKE_EVERY", 0.2)
    job = submit(client, steps=80, pause=0.03)
    wait_for(lambda: workspace.store.jobs.get(job).progress.get("step", 0) >= 3)
    first = supervisor_of(workspace.root)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not held(workspace.root))
    wait_for(lambda: seen(client, job)["state"] == "done")
    assert supervisor_of(workspace.root) != first
    steps = workspace.store.jobs.events(job, kinds=["progress"])
    assert [event.body["step"] for event in steps] == list(range(1, 81))


def test_an_events_file_edited_by_hand_breaks_neither_run_nor_page(
    client: TestClient, workspace: Workspace
) -> None:
    job = submit(client, steps=60, pause=0.03)
    started = wait_for(
        lambda: (now := workspace.store.jobs.get(job)).progress.get("step", 0) >= 3 and now
    )
    events = workspace.root / started.run_folder / "events.jsonl"
    with events.open("ab") as file:
        file.write(b'garbage\n{"kind": "progress", "step": "NaN", "seq": "x"}\n[1, 2]\n\xff\xfe\n')
        file.write(b'{"seq": 0, "time": 1e999, "kind": "finished", "metrics": {"miou": NaN}}x\n')
    wait_for(lambda: seen(client, job)["state"] == "done")
    answer = client.get("/tagmask/api/train/jobs", params={"job": job})
    assert answer.status_code == 200
    json.loads(answer.text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert client.get("/tagmask/api/inspect/images").json()["total"] == 3


# ---------------------------------------------------------------- real processes


class App:
    """A real `python app.py`, on a free port."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> "App":
        words = ["--workspace", str(self.root), "--port", str(self.port)]
        self.process = subprocess.Popen(
            [sys.executable, "app.py", *words], cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

        def up() -> bool:
            assert self.process.poll() is None, self.process.stderr.read()
            try:
                return bool(self.get("curate/counts"))
            except (urllib.error.URLError, ConnectionError):
                return False

        wait_for(up, 120)
        return self

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/tagmask/api/{path}", timeout=20) as answer:
            return json.load(answer)

    def post(self, path: str, **body: Any) -> Any:
        headers = {"X-Tagmask": "1", "Origin": self.url, "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self.url}/tagmask/api/{path}", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


def test_a_killed_app_keeps_every_acknowledged_decision_and_a_second_is_refused(
    workspace: Workspace,
) -> None:
    workspace.close()
    app = App(workspace.root).start()
    try:
        again = [sys.executable, "app.py", "--workspace", str(workspace.root), "--port"]
        for port, told in (("0", f"runs at {app.url}"), (str(app.port), f"Port {app.port}")):
            second = subprocess.run(
                [*again, port], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
            )
            assert second.returncode == 2
            assert second.stderr.startswith("tagmask: ")
            assert told in second.stderr
        rows = app.get("curate/queue")["rows"]
        for number, row in enumerate(rows[:2]):
            app.post(
                "curate/decide", candidate=row["id"], digest=row["digest"], verdict="accept",
                reviewer="ada", session="s", action_id=f"a{number}",
            )  # fmt: skip
        app.process.kill()
        app.process.communicate()
        app.start()
        counts = app.get("curate/counts")
        assert counts["verdicts"]["accept"] == 2
        assert counts["verdicts"]["undecided"] == 1
    finally:
        app.process.terminate()
        _, said = app.process.communicate(timeout=30)
        if held(workspace.root):
            os.kill(supervisor_of(workspace.root), signal.SIGTERM)
    assert app.process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_asked_for_and_absent_ends_the_app_before_it_serves(workspace: Workspace) -> None:
    words = ["--workspace", str(workspace.root), "--port", "0", "--device", "cuda"]
    done = subprocess.run(
        [sys.executable, "app.py", *words],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("tagmask: CUDA was asked for")
    assert "--device cpu" in done.stderr
