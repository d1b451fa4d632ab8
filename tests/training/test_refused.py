"""A run that is refused before anything was trained leaves no new file."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.images import encode_png
from backend.launchers import LocalLauncher
from backend.store import Job
from backend.supervisor.loop import Supervisor
from backend.supervisor.resuming import resubmit
from backend.workspace import Workspace
from training.cli import main

from .conftest import events_of, paint_voc, train

NONE = ["--weights", "nowhere.npz"]


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize(
    ("recipe", "flags"),
    [
        ("classify", NONE),
        ("classify", ["--stride", "5"]),
        ("classify", ["--split", "nowhere"]),
        ("seenet", ["--low", "0.9"]),
        ("oaa", ["--steps", "0", "--epochs", "3", "--warmup-passes", "3"]),
        ("oaaplus", []),
        ("oaaplus", ["--from", "nowhere"]),
        ("ecsnet", ["--no-erasing"]),
    ],
)
@pytest.mark.parametrize("out", ["run", "deep/er/run"])
def test_a_refused_run_leaves_nothing(
    tiny_voc: Path, tmp_path: Path, recipe: str, flags: list[str], out: str
):
    assert train(recipe, tiny_voc, tmp_path / out, *flags) == 2
    assert tree(tmp_path) == {}


def test_labels_that_cannot_be_made_leave_nothing(tiny_voc: Path, trained: Path, tmp_path: Path):
    named = ["--data", str(tiny_voc), "--out", str(tmp_path / "run")]
    for more in (NONE, [], ["--weights", str(trained), "--method", "seenet"]):
        assert main(["labels", *named, *more]) == 2
        assert tree(tmp_path) == {}


def test_what_was_there_before_stays(tiny_voc: Path, tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert train("classify", tiny_voc, tmp_path / "run", *NONE) == 2
    assert tree(tmp_path) == {"run": None, "run/notes.txt": b"mine"}


def test_a_resumed_run_that_is_refused_keeps_its_configuration(tiny_voc: Path, tmp_path: Path):
    """The data was moved meanwhile: once it is back, the run goes on from where it was."""
    data = paint_voc(tmp_path / "data")
    run = tmp_path / "run"
    assert train("classify", data, run, "--steps", "2") == 0
    (run / "weights.safetensors").unlink()
    lines = (run / "events.jsonl").read_text().splitlines(keepends=True)
    (run / "events.jsonl").write_text("".join(lines[:-1]))
    before = tree(run)
    data.rename(tmp_path / "moved")
    assert main(["classify", "--out", str(run), "--resume"]) == 2
    after = tree(run)
    assert set(after) == set(before)
    assert after["config.json"] == before["config.json"]
    assert after["checkpoint-00000002.pt"] == before["checkpoint-00000002.pt"]
    (tmp_path / "moved").rename(data)
    assert main(["classify", "--out", str(run), "--resume"]) == 0
    assert events_of(run)[-1]["kind"] == "finished"


def test_a_run_that_broke_at_work_keeps_its_record(tiny_voc: Path, tmp_path: Path):
    run = tmp_path / "run"
    assert train("classify", tiny_voc, run, "--steps", "3", "--learning-rate", "1e30") == 2
    assert json.loads((run / "config.json").read_text())["recipe"] == "classify"
    assert events_of(run)[-1]["kind_of"] == "Diverged"


def test_a_refused_run_puts_back_the_record_of_one_that_broke(tiny_voc: Path, tmp_path: Path):
    run = tmp_path / "run"
    assert train("classify", tiny_voc, run, "--steps", "3", "--learning-rate", "1e30") == 2
    before = (run / "config.json").read_bytes()
    assert train("oaa", tiny_voc, run, "--weights", str(tmp_path / "absent.pth")) == 2
    assert (run / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("recipe", "flags", "said"),
    [
        ("ecsnet", ["--no-erasing"], "--no-erasing leaves no second pass"),
        ("ecsnet", ["--epochs", "3", "--patience", "3"], "--patience is 3 and --epochs 3"),
        ("oaaplus", ["--from", "elsewhere"], "elsewhere"),
        ("seenet", ["--low", "0.9"], "the low threshold must not be above the high one"),
        ("classify", ["--learning-rate", "inf"], "--learning-rate is inf; it must be a finite"),
        ("classify", ["--steps", "9" * 12], "--steps is 999999999999; it must be from 0 to"),
    ],
)
def test_a_check_says_what_a_run_would_be_refused_for(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    recipe: str,
    flags: list[str],
    said: str,
):
    """Before any data is looked at: the page asks so when an order is made."""
    line = [recipe, "--data", str(tmp_path / "absent"), "--out", str(tmp_path / "run")]
    line += ["--preset", "scenes"]
    assert main(["check", *line, *flags]) == 2
    assert said in capsys.readouterr().err
    assert main(["check", "classify", *line[1:]]) == 0
    assert tree(tmp_path) == {}


def test_a_warm_up_as_long_as_the_run_is_refused(
    tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    passes = ["--epochs", "3", "--watch-every", "-1", "--warmup-passes"]
    assert train("oaa", tiny_voc, tmp_path / "run", *passes, "3") == 2
    said = "--warmup-passes is 3 and --epochs 3: nothing would be accumulated. Take more epochs"
    assert said in capsys.readouterr().err
    assert train("oaa", tiny_voc, tmp_path / "run", *passes, "3", "--steps", "6") == 2
    assert "--steps is 6, and 3 passes of warm-up over" in capsys.readouterr().err
    assert train("oaa", tiny_voc, tmp_path / "run", *passes, "2") == 0
    record = json.loads((tmp_path / "run" / "accumulated.json").read_text())
    assert sum(count for of_image in record.values() for count in of_image.values()) > 0


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Four images of a red square."""
    random = np.random.default_rng(0)
    with Workspace.create(tmp_path / "ws", classes=["red"]) as made:
        for index in range(4):
            pixels = random.integers(90, 120, (48, 48, 3), dtype=np.uint8)
            pixels[12:36, 12:36, 0] = 230
            made.store.images.add(f"image{index}", encode_png(pixels), source="test", tags=[1])
        yield made


def test_a_refused_job_tells_its_supervisor_why_and_can_be_resumed(
    workspace: Workspace, tmp_path: Path, trained: Path
):
    """The weights that it names come to be while a person reads what was wrong."""
    store = workspace.store
    supervisor = Supervisor(workspace, LocalLauncher())
    snapshot = store.snapshots.freeze("all", "ada", include="tagged")
    wanted = tmp_path / "wanted.safetensors"
    words = ["--preset", "scenes", "--steps", "1", "--size", "48", "--weights", str(wanted)]
    job = store.jobs.submit("classify", words, snapshot=snapshot.digest, by="ada")

    def until_over() -> Job:
        supervisor.tick()
        while supervisor.watches:
            supervisor.tick()
        return store.jobs.get(job.id)

    failed = until_over()
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error.startswith(f"There are no weights at {wanted};")
    folder = workspace.root / str(failed.run_folder)
    assert {path.name for path in folder.iterdir()} == {"events.jsonl", "log.txt"}

    wanted.write_bytes((trained / "weights.safetensors").read_bytes())
    resubmit(store, job.id)
    done = until_over()
    supervisor.close()
    assert (done.state, done.error) == ("done", None)
    assert (folder / "config.json").is_file()
