"""SAL's recipes with the preset `paper`: a step of each at the paper's own sizes."""

import json
from pathlib import Path

import pytest

from backend.weights import load
from training.cli import main

from .conftest import events_of, paint_voc
from .scoring import label_run, saliency_maps

MACHINE = ["--preset", "paper", "--device", "cpu", "--watch-every", "-1"]


@pytest.fixture(autouse=True)
def only_in_full(long_sweep: bool) -> None:
    if not long_sweep:
        pytest.skip("each takes half a minute: make test-long")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return paint_voc(tmp_path / "data", count=12)


def test_the_scorer_takes_a_step(data: Path, tmp_path: Path):
    labels = label_run(data, tmp_path / "labels")
    maps = saliency_maps(data, tmp_path / "maps")
    given = ["--data", str(data), "--from", str(labels), "--saliency", f"folder:{maps}"]
    few = ["--high", "4", "--low", "1", "--changed", "2", "--composites", "2", "--crf", "none"]
    out = tmp_path / "out"
    words = ["scorer", *given, "--out", str(out), *MACHINE, *few, "--steps", "1", "--batch", "2"]
    assert main([*words, "--held-out", "0"]) == 0
    network, card = load(out)
    assert card.input_size == 256
    assert sum(each.numel() for each in network.parameters()) > 2_000_000
    assert events_of(out)[-1]["metrics"]["loss"] > 0


@pytest.mark.parametrize(("backbone", "batch"), [("vgg16", 7), ("resnet101", 2)])
def test_sal_net_takes_a_step(data: Path, tmp_path: Path, backbone: str, batch: int):
    labels = label_run(data, tmp_path / "labels")
    scores = [{"image": f"im{n}", "SF": n / 12} for n in range(12)]
    (labels / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in scores))
    out = tmp_path / "out"
    words = ["sal", "--data", str(data), "--from", str(labels), "--out", str(out), *MACHINE]
    words += ["--backbone", backbone, "--weights", "none", "--steps", "1", "--no-labels"]
    words += ["--batch", str(batch), "--keep", "6", "--split", "train"]
    assert main(words) == 0
    metrics = events_of(out)[-1]["metrics"]
    assert metrics["masks"] == 6
    assert metrics["loss"] > 0
    _, card = load(out)
    assert (card.kind, card.backbone) == ("sal", backbone)
