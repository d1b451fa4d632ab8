"""`python -m training score --resume`: the same bytes in the end, or a sentence why not."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.labels import write_labels
from training.cli import main

from .conftest import events_of, paint_voc, start
from .scoring import (
    HOW,
    NAMES,
    label_run,
    lines_of,
    said,
    saliency_maps,
    save_scorer,
    score,
    truth_of,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return paint_voc(tmp_path / "data", count=12)


@pytest.fixture
def labels(data: Path, tmp_path: Path) -> Path:
    return label_run(data, tmp_path / "labels")


@pytest.fixture
def maps(data: Path, tmp_path: Path) -> Path:
    return saliency_maps(data, tmp_path / "maps")


@pytest.fixture
def scorer(tmp_path: Path) -> Path:
    return save_scorer(tmp_path / "scorer.safetensors", 5)


def test_a_killed_run_ends_with_the_same_bytes(
    data: Path, labels: Path, maps: Path, scorer: Path, tmp_path: Path
):
    photograph = data / "JPEGImages" / "im1.jpg"
    photograph.write_bytes(photograph.read_bytes()[:-400])
    more = ["--scorer", str(scorer), "--batch", "3", "--per-class"]
    whole = tmp_path / "whole"
    assert score(data, labels, maps, whole, *more) == 0
    wanted = {name: (whole / name).read_bytes() for name in ("scores.jsonl", "classes.jsonl")}

    for kept in (0, 1, 2, 5, 7, 11):
        out = tmp_path / f"hurt{kept}"
        assert score(data, labels, maps, out, *more) == 0
        for name, content in wanted.items():
            rows = content.decode().splitlines(keepends=True)
            (out / name).write_text("".join(rows[:kept]) + '{"image": "im9", "AC": 0.')
        for name in NAMES[8:]:
            (out / "references" / f"{name}.png").unlink()
        first = (out / "events.jsonl").read_text().splitlines()[0]
        (out / "events.jsonl").write_text(first + "\n")
        assert main(["score", "--out", str(out), "--resume"]) == 0
        assert {name: (out / name).read_bytes() for name in wanted} == wanted
        assert events_of(out)[-1]["metrics"] == events_of(whole)[-1]["metrics"]


def unfinish(out: Path) -> None:
    """Leaves a run as if it had been killed when all but its last word was written."""
    first = (out / "events.jsonl").read_text().splitlines()[0]
    (out / "events.jsonl").write_text(first + "\n")


def test_a_mask_that_has_changed_is_scored_again(
    data: Path, labels: Path, maps: Path, scorer: Path, tmp_path: Path
):
    more = ["--scorer", str(scorer), "--batch", "3", "--per-class"]
    out, whole = tmp_path / "out", tmp_path / "whole"
    assert score(data, labels, maps, out, *more) == 0
    before = lines_of(out)
    unfinish(out)
    changed = truth_of(data, "im7")
    changed[:, :30] = 0
    write_labels(labels / "labels" / "im7.png", changed)
    assert score(data, labels, maps, whole, *more) == 0
    assert main(["score", "--out", str(out), "--resume"]) == 0
    for name in ("scores.jsonl", "classes.jsonl", "calibration.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    after = lines_of(out)
    assert before[7] != after[7]
    assert before[:7] == after[:7]
    # What came before it was not looked at again.
    assert "6 images were done before; 6 remain." in said(out)


def test_labels_that_came_since_are_scored_with_the_rest(
    data: Path, labels: Path, maps: Path, tmp_path: Path
):
    path = labels / "labels" / "im2.png"
    content = path.read_bytes()
    path.unlink()
    out = tmp_path / "out"
    assert score(data, labels, maps, out, "--batch", "2") == 0
    assert len(lines_of(out)) == len(NAMES) - 1
    unfinish(out)
    path.write_bytes(content)
    assert main(["score", "--out", str(out), "--resume"]) == 0
    assert [line["image"] for line in lines_of(out)] == NAMES


def another_scorer(scorer: Path, labels: Path, maps: Path) -> None:
    save_scorer(scorer, 6)


def another_run(scorer: Path, labels: Path, maps: Path) -> None:
    told = json.loads((labels / "config.json").read_text())
    (labels / "config.json").write_text(json.dumps({**told, "recipe": "dsrg"}))


def another_map(scorer: Path, labels: Path, maps: Path) -> None:
    cv2.imwrite(str(maps / "im3.png"), np.full((48, 48), 90, np.uint8))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (another_scorer, r"This run began with the scorer small \(\w{8}\), but --scorer now names"),
        (another_run, r"This run began with the labels labels \(\w{8}\), but --from now names"),
        (another_map, r"This run began with the saliency folder:.*, but --saliency now names"),
    ],
)
def test_a_run_does_not_go_on_with_other_things_than_it_began_with(
    data: Path, labels: Path, maps: Path, scorer: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], change: Callable[..., None], sentence: str,
):  # fmt: skip
    """Though the paths are the same: what lies there decides."""
    out = tmp_path / "out"
    assert score(data, labels, maps, out, "--scorer", str(scorer)) == 0
    rows = (out / "scores.jsonl").read_text().splitlines(keepends=True)
    (out / "scores.jsonl").write_text("".join(rows[:5]))
    unfinish(out)
    change(scorer, labels, maps)
    kept = (out / "provenance.json").read_bytes()
    assert main(["score", "--out", str(out), "--resume"]) == 2
    assert re.search(sentence, capsys.readouterr().err)
    assert (out / "provenance.json").read_bytes() == kept
    assert (out / "scores.jsonl").read_text() == "".join(rows[:5])


def test_a_process_killed_on_its_way_goes_on(
    data: Path, labels: Path, maps: Path, scorer: Path, tmp_path: Path
):
    more = ["--scorer", str(scorer), "--batch", "2", "--threads", "1"]
    assert score(data, labels, maps, tmp_path / "whole", *more) == 0
    out = tmp_path / "out"
    given = ["--data", str(data), "--from", str(labels), "--saliency", f"folder:{maps}"]
    process = start("score", *given, "--out", str(out), *HOW, *more)
    while process.poll() is None:
        if (out / "scores.jsonl").is_file() and (out / "scores.jsonl").stat().st_size:
            process.kill()
            break
    assert process.wait(timeout=120) in (-signal.SIGKILL, 0)
    assert main(["score", "--out", str(out), "--resume"]) == 0
    for name in ("scores.jsonl", "calibration.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_other_saliency_does_not_go_on_with_a_run(
    data: Path, labels: Path, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert score(data, labels, maps, out) == 0
    first = (out / "events.jsonl").read_text().splitlines()[0]
    (out / "events.jsonl").write_text(first + "\n")
    record = json.loads((out / "references.json").read_text())
    (out / "references.json").write_text(json.dumps({**record, "threshold": 0.9}))
    assert main(["score", "--out", str(out), "--resume"]) == 2
    assert "began with other reference masks than these" in capsys.readouterr().err


def test_a_flag_in_a_refusal_is_written_as_it_is_given(
    data: Path, labels: Path, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert score(data, labels, maps, out) == 0
    unfinish(out)
    other = label_run(data, tmp_path / "other")
    assert main(["score", "--from", str(other), "--out", str(out), "--resume"]) != 0
    assert f"--from is {other}, but this run was started with {labels}." in capsys.readouterr().err
