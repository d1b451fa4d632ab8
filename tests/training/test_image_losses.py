"""The recipe losses: each image's labels under a real small segmenter."""

import json
import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.labels import read_labels, write_labels
from backend.weights import load
from training.cli import main
from training.image_losses import channel_table, loss_of
from training.predicting import inputs
from training.viewing import Viewing

from .conftest import events_of, paint_voc, start, train
from .scoring import label_run, said

HOW = ["--device", "cpu", "--precision", "32"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve painted images."""
    return paint_voc(tmp_path_factory.mktemp("data") / "voc", count=12)


@pytest.fixture(scope="module")
def labelled(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the true labels, but cat and dog of im2 the wrong way round."""
    out = label_run(
        data, tmp_path_factory.mktemp("runs") / "labels", {f"im{n}": 0 for n in range(12)}
    )
    labels = read_labels(out / "labels" / "im2.png")
    turned = np.where(labels == 8, 12, np.where(labels == 12, 8, labels)).astype(np.uint8)
    write_labels(out / "labels" / "im2.png", turned)
    return out


@pytest.fixture(scope="module")
def segmenter(data: Path, labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmenter that learnt these labels, for seconds."""
    out = tmp_path_factory.mktemp("runs") / "segment"
    given = ["--from", str(labelled), "--epochs", "30", "--no-labels", "--watch-every", "-1"]
    assert train("segment", data, out, *given) == 0
    return out


def measure(data: Path, segmenter: Path, out: Path, *more: str) -> int:
    given = ["--data", str(data), "--weights", str(segmenter), "--out", str(out)]
    return main(["losses", *given, *HOW, *more])


def lines_of(out: Path) -> dict[str, dict]:
    told = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    return {line["image"]: line for line in told}


def test_a_loss_is_the_mean_cross_entropy_of_the_labelled_pixels() -> None:
    # Two pixels of three classes: probabilities 0.7 of the true one, then 0.2; a third is ignored.
    values = torch.tensor([[[0.2, 0.2, 1.0]], [[0.7, 0.6, 0.0]], [[0.1, 0.2, 0.0]]]).log()
    labels = np.array([[5, 9, 255]], np.uint8)
    table = torch.full((256,), 255)
    table[0], table[5], table[9] = 0, 1, 2
    loss, right, count = loss_of(values.clamp(min=-50), labels, table) or (0, 0, 0)
    assert loss == pytest.approx(-(math.log(0.7) + math.log(0.2)) / 2, rel=1e-5)
    assert (right, count) == (0.5, 2)
    assert loss_of(values, np.full((1, 3), 255, np.uint8), table) is None


def test_every_image_has_the_loss_that_the_network_gives_it(
    data: Path, labelled: Path, segmenter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert measure(data, segmenter, out, "--from", str(labelled)) == 0
    found = lines_of(out)
    assert sorted(found) == sorted(f"im{n}" for n in range(12))
    network, card = load(segmenter)
    from backend.exchange.sources import open_source
    from backend.images import read_image

    source = open_source(data, "all")
    table, strangers = channel_table(source, dict(zip(card.class_ids, card.classes, strict=True)))
    assert "cat" not in strangers
    for item in source.items[:4]:
        view = Viewing(card.input_size)
        given = inputs(view.views(read_image(item.image)), card.normalisation, view)[0]
        with torch.no_grad():
            logits = network.segment(given)
        labels = read_labels(labelled / "labels" / f"{item.name}.png")
        large = torch.nn.functional.interpolate(logits, labels.shape, mode="bilinear")
        truth = table[torch.from_numpy(labels).long()][None]
        expected = torch.nn.functional.cross_entropy(large, truth, ignore_index=255)
        assert found[item.name]["loss"] == pytest.approx(float(expected), abs=1e-4)


def test_labels_that_are_wrong_have_the_largest_loss(
    data: Path, labelled: Path, segmenter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert measure(data, segmenter, out, "--from", str(labelled)) == 0
    found = lines_of(out)
    assert max(found, key=lambda name: found[name]["loss"]) == "im2"
    metrics = next(e for e in events_of(out) if e["kind"] == "finished")["metrics"]
    assert metrics["images"] == 12
    assert metrics["largest_loss"] == found["im2"]["loss"]


def test_labels_that_changed_are_measured_again_and_others_are_not(
    data: Path, labelled: Path, segmenter: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for path in (labelled / "labels").iterdir():
        (mine / "labels").mkdir(exist_ok=True)
        (mine / "labels" / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out"
    assert measure(data, segmenter, out, "--from", str(mine)) == 0
    before = lines_of(out)
    labels = read_labels(mine / "labels" / "im4.png")
    labels[:] = 0
    write_labels(mine / "labels" / "im4.png", labels)
    events = [e for e in (out / "events.jsonl").read_text().splitlines() if "finished" not in e]
    (out / "events.jsonl").write_text("\n".join(events) + "\n")
    assert main(["losses", "--out", str(out), "--resume"]) == 0
    after = lines_of(out)
    assert "11 images were measured before; 1 remain" in said(out)
    assert after["im4"]["loss"] != before["im4"]["loss"]
    assert after["im4"]["mask"] != before["im4"]["mask"]
    assert {n: line for n, line in after.items() if n != "im4"} == {
        n: line for n, line in before.items() if n != "im4"
    }


def test_a_killed_run_goes_on_where_it_was(segmenter: Path, tmp_path: Path) -> None:
    many = paint_voc(tmp_path / "many", count=60)
    labels = label_run(many, tmp_path / "labels", {f"im{n}": 0 for n in range(60)})
    out = tmp_path / "out"
    process = start(
        "losses", "--data", str(many), "--weights", str(segmenter), "--from", str(labels),
        "--out", str(out), *HOW,
    )  # fmt: skip
    path = out / "losses.jsonl"
    while process.poll() is None and not (path.exists() and path.stat().st_size > 300):
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert main(["losses", "--out", str(out), "--resume"]) == 0
    assert len(lines_of(out)) == 60


def test_what_labels_no_pixels_is_refused(
    data: Path, labelled: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure(data, trained, tmp_path / "out", "--from", str(labelled)) == 2
    assert "which labels no pixels" in capsys.readouterr().err
    assert measure(data, trained, tmp_path / "two", "--weights", "none-such") == 2
