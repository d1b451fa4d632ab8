"""`python -m training segment`: from label maps to a segmenter, and every way it can go wrong."""

import json
import random
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.exchange.classes import VOC_IDS
from backend.labels import read_labels, write_labels
from backend.weights import load
from training import measures
from training.cli import main
from training.data import Batch
from training.masks import open_masked
from training.run import Run
from training.segmenting import SegmentBench, channels_of, deeplab, dilations

from .conftest import TINY, events_of, paint_voc, start, stop_after, train

SMALL = ["--head-channels", "16", "--rates", "2", "--watch-every", "-1"]


def segment(data: Path, out: Path, *more: str) -> int:
    return train("segment", data, out, *SMALL, *more)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve painted images: eight in the list train, four in val; not to be changed."""
    root = paint_voc(tmp_path_factory.mktemp("data") / "voc", count=12)
    lists = root / "ImageSets" / "Segmentation"
    for name, numbers in (("train", range(8)), ("val", range(8, 12))):
        (lists / f"{name}.txt").write_text("".join(f"im{number}\n" for number in numbers))
    return root


@pytest.fixture(scope="module")
def segmenter(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on true masks; not to be changed by a test."""
    out = tmp_path_factory.mktemp("runs") / "segmenter"
    how = [*SMALL[:4], "--watch-every", "10", "--steps", "40"]
    assert train("segment", data, out, "--strong", "train", *how) == 0
    return out


def test_a_segmenter_learns_what_it_is_shown(segmenter: Path, data: Path):
    finished = events_of(segmenter)[-1]
    assert finished["kind"] == "finished"
    assert finished["labels"] == 8
    # The background alone would be right in 85 of 100 pixels and score 28 of 100.
    assert finished["metrics"]["miou"] > 60
    assert finished["metrics"]["pixel_accuracy"] > 0.9
    for name, tags in (("im0", {8}), ("im1", {12}), ("im2", {8, 12})):
        labels = read_labels(segmenter / "labels" / f"{name}.png")
        assert labels.shape == (48, 48)
        assert set(np.unique(labels).tolist()) <= {0, *tags}


def test_its_weights_are_a_segmenter_that_knows_where_it_comes_from(segmenter: Path):
    network, card = load(segmenter)
    assert (card.kind, card.classes, card.class_ids) == ("segment", ("cat", "dog"), (8, 12))
    assert card.input_size == 96
    assert card.origin["labels"]["strong"] == "train"
    assert card.origin["metrics"] == events_of(segmenter)[-1]["metrics"]
    with torch.inference_mode():
        assert network.segment(torch.zeros(1, 3, 48, 48)).shape == (1, 3, 12, 12)


def test_the_looks_on_the_way_measure_images_that_are_not_learnt_from(segmenter: Path):
    looks = [event for event in events_of(segmenter) if event["kind"] == "validation"]
    assert [event["step"] for event in looks] == [10, 20, 30, 40]
    assert {event["images"] for event in looks} == {4}
    assert all(0 <= event["validation_miou"] <= 100 for event in looks)
    assert looks[-1]["validation_miou"] > 60
    assert [event["step"] for event in events_of(segmenter) if event["kind"] == "film"] == [
        10, 20, 30, 40,
    ]  # fmt: skip


def test_without_a_list_val_the_examples_are_measured_and_nothing_at_the_end(
    tiny_voc: Path, tmp_path: Path
):
    how = [*SMALL[:4], "--watch-every", "2", "--steps", "4"]
    assert train("segment", tiny_voc, tmp_path / "run", "--strong", "train", *how) == 0
    told = events_of(tmp_path / "run")
    assert [e["images"] for e in told if e["kind"] == "validation" and "training_miou" in e] == [
        8, 8,
    ]  # fmt: skip
    assert any("No validation mIoU is measured" in event.get("text", "") for event in told)
    assert "miou" not in told[-1]["metrics"]


def test_the_labels_of_a_run_teach_the_next(segmenter: Path, data: Path, tmp_path: Path):
    assert segment(data, tmp_path / "next", "--from", str(segmenter), "--steps", "2") == 0
    told = json.loads((tmp_path / "next" / "provenance.json").read_text())
    assert told["labels"]["recipe"] == "segment"
    assert told["labels"]["masks"] == 8


def test_the_same_seed_gives_the_same_labels(data: Path, tmp_path: Path):
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        how = ["--strong", "train", "--steps", "6", "--seed", seed]
        assert segment(data, tmp_path / name, *how) == 0
    a, b, c = (load(tmp_path / name)[0].state_dict() for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


@pytest.mark.parametrize("at", ["feature", "image"])
def test_a_step_in_which_nothing_is_labelled_teaches_nothing(data: Path, tmp_path: Path, at: str):
    """One batch of 255 alone: the loss is 0, not a NaN, and the network stays as it was."""
    run = tmp_path / "labels"
    for number in range(4):
        labels = np.full((48, 48), 255, np.uint8)
        if number == 3:
            labels[:24] = 8
        write_labels(run / "labels" / f"im{number}.png", labels)
    how = ["--from", str(run), "--steps", "4", "--batch", "1", "--loss-size", at]
    assert segment(data, tmp_path / "run", *how, "--weight-decay", "0") == 0
    told = events_of(tmp_path / "run")
    losses = [event["loss"] for event in told if event["kind"] == "epoch"]
    assert np.isfinite(losses).all()
    assert any("3 masks hold nothing but 255" in event.get("text", "") for event in told)


def bench_on(data: Path, folder: Path, *, loss_size: str = "feature") -> SegmentBench:
    from training.options import settle
    from training.recipes.segment import Segment

    how = {"size": 48, "weights": "none", "head_channels": 8, "rates": (1,), "device": "cpu",
           "precision": "32", "loss_size": loss_size}  # fmt: skip
    run = Run("segment", folder, data=data)
    return SegmentBench(settle(Segment, "scenes", how), run, open_masked(run, "", "train"))


def test_the_heads_dilations_shrink_with_the_samples():
    from training.options import settle
    from training.recipes.segment import Segment

    def of(preset: str, **given: object) -> tuple[int, ...]:
        return dilations(settle(Segment, preset, given))

    assert of("paper") == (12,)
    assert of("paper", head="aspp") == (6, 12, 18, 24)
    assert of("light", head="aspp") == (3, 6, 9, 12)
    assert of("light", rates=(5,)) == (5,)
    assert of("light", spread=0.05, head="aspp") == (1, 1, 1, 1)


def batch_of(masks: torch.Tensor) -> Batch:
    count = len(masks)
    images = torch.zeros(count, 3, *masks.shape[1:], dtype=torch.uint8)
    return Batch(images, torch.zeros(count, 2), torch.arange(count), torch.zeros(count, 5), masks)


def test_labels_become_channels_and_the_rest_is_ignored(data: Path, tmp_path: Path):
    assert channels_of([8, 12])[[0, 8, 12, 255]].tolist() == [0, 1, 2, 255]
    bench = bench_on(data, tmp_path)
    masks = torch.tensor([[[0, 8], [12, 255]]])
    assert bench.targets(batch_of(masks), (2, 2)).tolist() == [[[0, 1], [2, 255]]]
    halves = masks.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)
    assert bench.targets(batch_of(halves), (2, 2)).tolist() == [[[0, 1], [2, 255]]]


def test_the_loss_is_the_mean_over_labelled_pixels(data: Path, tmp_path: Path):
    bench = bench_on(data, tmp_path)
    masks = torch.tensor([[[0, 255], [12, 255]]])
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 2, 1, 0] = 2.0
    loss, right = bench.loss(logits, batch_of(masks))
    expected = (np.log(3) + np.log(2 + np.e**2) - 2) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert right.item() == 1.0


def test_images_can_be_weighted_one_by_one(data: Path, tmp_path: Path):
    bench = bench_on(data, tmp_path)
    masks = torch.tensor([[[0, 0], [0, 0]], [[8, 8], [8, 8]]])
    logits = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    both = batch_of(masks)
    alone, _ = bench.loss(logits[:1], batch_of(masks[:1]))
    chosen, _ = bench.loss(logits, both, torch.tensor([1.0, 0.0]))
    assert chosen.item() == pytest.approx(alone.item())


def test_a_mask_is_cut_and_mirrored_as_its_image_is(data: Path, tmp_path: Path):
    bench = bench_on(data, tmp_path)
    (batch, *_) = list(bench.batches.epoch(0))
    assert batch.masks is not None
    red = (batch.images[:, 0].int() - batch.images[:, 1].int()) > 90
    shown = batch.masks == 8
    overlap = (red & shown).sum() / (red | shown).sum()
    assert shown.any()
    assert overlap > 0.85


def test_the_loss_falls_where_it_is_taken_at_the_images_size(data: Path, tmp_path: Path):
    bench = bench_on(data, tmp_path, loss_size="image")
    network = deeplab(bench.settings, 2)
    (batch, *_) = list(bench.batches.epoch(0))
    loss, _ = bench.loss(network(bench.normalisation.batch(batch.images)), batch)
    loss.backward()
    assert loss.item() > 0
    assert all(p.grad is not None for p in network.branches.parameters())


KILLED = ["--strong", "train", "--steps", "24", "--checkpoint-every", "0", "--dropout", "0.3"]


def test_a_run_killed_at_any_step_ends_as_one_that_was_not(
    data: Path, tmp_path: Path, long_sweep: bool
):
    assert segment(data, tmp_path / "whole", *KILLED) == 0
    for number in range(6 if long_sweep else 1):
        at = random.randint(1, 12)
        out = tmp_path / f"hurt-{number}"
        words = ["segment", "--data", str(data), "--out", str(out), *TINY, *SMALL, *KILLED]
        enough = lambda text: text.count('"checkpoint"') >= at  # noqa: B023, E731
        assert stop_after(start(*words), out, enough, signal.SIGKILL) == -signal.SIGKILL
        assert not (out / "weights.safetensors").exists()
        assert main(["segment", "--out", str(out), "--resume"]) == 0
        assert any("Resumed at" in event.get("text", "") for event in events_of(out))
        assert same(out, tmp_path / "whole"), f"killed at step {at}"


def test_a_run_killed_while_it_writes_labels_writes_the_rest(data: Path, tmp_path: Path):
    """As the process leaves it when it dies there: training done, some labels, no last word."""
    assert segment(data, tmp_path / "whole", *KILLED) == 0
    hurt = tmp_path / "hurt"
    assert segment(data, hurt, *KILLED) == 0
    lines = (hurt / "events.jsonl").read_text().splitlines(keepends=True)
    (hurt / "events.jsonl").write_text("".join(lines[:-1]))
    (hurt / "weights.safetensors").unlink()
    kept = (hurt / "labels" / "im0.png").stat().st_mtime_ns
    for number in (3, 5, 7):
        (hurt / "labels" / f"im{number}.png").unlink()
    assert main(["segment", "--out", str(hurt), "--resume"]) == 0
    assert same(hurt, tmp_path / "whole")
    assert (hurt / "labels" / "im0.png").stat().st_mtime_ns == kept
    assert events_of(hurt)[-1]["labels"] == 8


def same(run: Path, other: Path) -> bool:
    """Whether two runs ended alike to the last bit."""
    weights, others = (load(folder)[0].state_dict() for folder in (run, other))
    files = [
        {path.name: path.read_bytes() for path in (folder / "labels").iterdir()}
        for folder in (run, other)
    ]
    metrics = [events_of(folder)[-1]["metrics"] for folder in (run, other)]
    return (
        all(torch.equal(weights[name], others[name]) for name in weights)
        and files[0] == files[1]
        and metrics[0] == metrics[1]
    )


@pytest.fixture
def photographs(shared_data: Path, tmp_path: Path) -> Path:
    """The cows, sheep and aeroplanes of MSRC: 53 to learn from, 20 in the list val."""
    msrc, few = shared_data / "msrc", tmp_path / "few"
    lines = (msrc / "tags.csv").read_text().splitlines()
    rows = [line for line in lines if line.partition(",")[2] in ("cow", "sheep", "aeroplane")]
    wanted = {row.partition(",")[0] for row in rows}
    lists = few / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for folder in ("JPEGImages", "SegmentationClass"):
        (few / folder).symlink_to((msrc / folder).resolve())
    for name, split in (("fit", "train"), ("val", "val")):
        listed = (msrc / "ImageSets/Segmentation" / f"{name}.txt").read_text().split()
        chosen = [each for each in listed if each in wanted]
        (lists / f"{split}.txt").write_text("\n".join(chosen) + "\n")
    (few / "tags.csv").write_text("\n".join([lines[0], *rows]) + "\n")
    return few


def test_photographs_teach_more_than_that_all_is_background(
    photographs: Path, shared_data: Path, tmp_path: Path
):
    """A few steps on a few photographs: far better than no segmenter at all."""
    trunk = shared_data / "weights" / "squeezenet1_1_trunk.npz"
    how = ["--preset", "light", "--strong", "train", "--no-labels", "--weights", str(trunk),
           "--steps", "24", "--size", "96", "--test-size", "96", "--batch", "8", "--rates", "2",
           "--head-channels", "64", "--learning-rate", "1e-2", "--clip", "5",
           "--watch-every", "-1", "--device", "cpu", "--precision", "32"]  # fmt: skip
    out = tmp_path / "run"
    assert main(["segment", "--data", str(photographs), "--out", str(out), *how]) == 0
    held_out = (photographs / "ImageSets/Segmentation/val.txt").read_text().split()
    truth = photographs / "SegmentationClass"
    empty = measures.measure(tmp_path, truth, VOC_IDS, held_out, allow_missing=True)
    nothing = measures.result(empty, VOC_IDS)["miou"]
    assert 10 < nothing < 25
    assert events_of(out)[-1]["metrics"]["miou"] > 2 * nothing
    assert not (out / "labels").exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ([], "has a label map as its mask"),
        (["--from", "nowhere"], "has no labels"),
        (["--strong", "gold"], "has no split gold"),
        (["--strong", "train", "--rates", "0"], "--rates is 0; it must be from 1 to 64"),
        (["--strong", "train", "--head", "unet"], "--head is 'unet'; it can be largefov, aspp"),
    ],
)
def test_mistakes_are_sentences(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], sentence: str
):
    assert segment(data, tmp_path / "run", *more) == 2
    assert sentence in capsys.readouterr().err
