"""What several reviewers do on the page, from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.images import encode_png
from backend.labels import encode_labels
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with ten images tagged cat, each with a candidate."""
    with Workspace.create(tmp_path / "workspace", "Bench", classes=("cat", "dog")) as made:
        for number in range(10):
            pixels = np.random.default_rng(number).integers(0, 255, (8, 9, 3), np.uint8)
            image = made.store.images.add(
                f"i{number}", encode_png(pixels), source="test", tags=[1]
            ).image
            labels = np.zeros((8, 9), np.uint8)
            labels[:4] = 1
            made.store.candidates.add(image.id, None, "cam", encode_labels(labels))
    return made.root


def backend(*words: object) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "backend", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def decide(folder: Path, *said: tuple[int, str, str]) -> None:
    with Workspace.open(folder) as workspace:
        for candidate, verdict, who in said:
            digest = workspace.store.candidates.get(candidate).digest
            workspace.store.decisions.record(
                candidate, digest, verdict, reviewer=who, session="s",
                action_id=f"{candidate} {verdict} {who}",
            )  # fmt: skip


def test_assign_shares_out_says_how_far_each_is_and_takes_back(folder: Path) -> None:
    words = ("assign", folder, "--reviewers", "ada", "bob", "--overlap", 0.2, "--seed", 0)
    told = "ada: 6 images, 2 of them shared\nbob: 6 images, 2 of them shared\n"
    assert backend(*words, "--dry-run")[:2] == (0, told)
    assert backend(*words)[:2] == (0, told)
    decide(folder, (1, "accept", "ada"), (1, "reject", "bob"), (2, "skip", "cyd"))
    status, said, _ = backend("assign", folder)
    assert status == 0
    assert "0 images left to assign." in said
    assert "cyd: nothing assigned, 0 masks judged" in said
    status, _, complaint = backend(*words)
    assert (status, "No image is left to assign" in complaint) == (2, True)
    assert backend("assign", folder, "--withdraw", "--reviewers", "ada")[1] == (
        "ada: 6 images taken back\n"
    )


def test_assign_takes_one_class_only_and_knows_its_name(folder: Path) -> None:
    assert "there are cat, dog" in backend("assign", folder, "--reviewers", "a", "--tag", "cow")[2]
    assert "No image is left" in backend("assign", folder, "--reviewers", "a", "--tag", "dog")[2]
    assert backend("assign", folder, "--reviewers", "a", "--tag", "Cat")[0] == 0


def test_agreement_prints_kappa_by_pair_and_class_and_where_they_differ(folder: Path) -> None:
    assert "No two reviewers" in backend("agreement", folder)[1]
    said = [(1, "accept", "accept"), (2, "accept", "accept"), (3, "reject", "reject"),
            (4, "accept", "reject")]  # fmt: skip
    for candidate, first, second in said:
        decide(folder, (candidate, first, "ada"), (candidate, second, "bob"))
    lines = backend("agreement", folder)[1].splitlines()
    # Kappa: 3/4 alike; by chance 3/4 * 2/4 + 1/4 * 2/4 = 1/2.
    assert lines[1].split() == ["ada", "and", "bob", "4", "3", "0.50", "2", "1.00"]
    assert lines[2].split() == ["cat", "4", "3", "0.50", "2", "1.00"]
    assert lines[3] == "i3, cam: ada would keep it, bob would not"
    told = json.loads(backend("agreement", folder, "--json")[1])
    assert told["verdicts"][0]["only_first"] == 1
    assert told["masks"][0]["identical"] == 2


def test_history_tells_and_goes_back_by_a_row_more(folder: Path) -> None:
    decide(folder, (1, "accept", "ada"), (1, "reject", "bob"))
    said = backend("history", folder, "i0")[1]
    assert "ada accepted the mask of cam" in said
    assert "decision:2" in said
    assert said.count("  *\n") == 2
    status, said, _ = backend("history", folder, "i0", "--back-to", "decision:1", "--by", "lead")
    assert (status, said) == (
        0,
        "decision:3: lead brought back ada's “accept” on the mask of cam\n",
    )
    assert backend("history", folder, "i0", "--take-back", "decision:3", "--by", "lead")[0] == 0
    events = json.loads(backend("history", folder, "i0", "--json")[1])
    assert [each["verdict"] for each in events if each["kind"] == "decision"] == [
        "accept", "reject", "accept", "reject",
    ]  # fmt: skip
    assert "There is no image 'none'" in backend("history", folder, "none")[2]
    assert "no 'decision:9'" in backend("history", folder, "i0", "--back-to", "decision:9")[2]
