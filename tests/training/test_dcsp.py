"""DCSP by the command line on a dozen painted scenes: its phases, its cues, what is left out."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.exchange.sources import open_source
from backend.images import read_image
from backend.labels import read_heat, read_labels
from backend.maps.attention import resize
from backend.maps.erasing import hierarchical_saliency
from backend.maps.fusion import dcsp_labels
from backend.saliency import saliency_source
from backend.weights import WeightsCard, load
from training.cli import main
from training.predicting import label_map

from .conftest import events_of, train

# Two steps a phase on the smallest trunk; the samples and the test are of one size.
SHORT = [
    "--fcan-steps", "2", "--steps", "2", "--test-size", "48", "--processes", "1",
    "--head-channels", "8", "--watch-every", "-1",
]  # fmt: skip


def dcsp(data: Path, out: Path, *more: str) -> Path:
    assert train("dcsp", data, out, *SHORT, *more) == 0
    return out


def said(run: Path) -> str:
    return " ".join(event.get("text", "") for event in events_of(run))


def largest(look: Callable[[torch.Tensor], torch.Tensor], card: WeightsCard, image) -> np.ndarray:
    """What a network says of an image (64,64) at three scales, the largest at each cell."""
    found = []
    # A half of 48 is less than the least that is looked at.
    for size in (48, 36, 32):
        small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        with torch.inference_mode():
            found.append(look(card.normalisation.tensor(small)[None])[0].numpy())
    return np.max([resize(each, found[0].shape[1:]) for each in found], axis=0)


@pytest.fixture(scope="module")
def whole(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an adaptation, watched; not to be changed by a test."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return dcsp(scenes, out, "--watch-every", "2", "--gamma", "0.3", "--seed", "1")


@pytest.fixture(scope="module")
def apart(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without joint training, of another seed; not to be changed by a test."""
    return dcsp(scenes, tmp_path_factory.mktemp("runs") / "apart", "--no-joint", "--seed", "2")


def test_every_phase_leaves_its_network_and_none_its_checkpoint(whole: Path):
    phases = ("checkpoint-1-fcan", "checkpoint-2-joint-0", "checkpoint-3-joint-1")
    cards = [load(whole / name)[1] for name in phases]
    assert [card.architecture["segments"] for card in cards] == [False, True, True]
    assert not list(whole.rglob("checkpoint-*.pt"))
    final, card = load(whole)
    assert card.kind == "dcsp"
    assert card.input_size == 48
    last = load(whole / phases[-1])[0].state_dict()
    assert all(torch.equal(last[name], t) for name, t in final.state_dict().items())
    told = json.loads((whole / "provenance.json").read_text())
    assert told["saliency"]["source"] == "classical"
    assert told["saliency"]["thresholds"] == [0.7, 0.8]
    assert card.origin["saliency"] == told["saliency"]


def test_steps_count_on_through_the_phases_and_every_phase_is_named(whole: Path):
    events = events_of(whole)
    saved = [(each["phase"], each["step"]) for each in events if each["kind"] == "checkpoint"]
    assert saved[-1] == ("joint-1", 6)
    told = [each for each in events if each["kind"] == "progress" and "loss" in each]
    assert {each["steps"] for each in told} == {6}
    assert sorted({each["phase"] for each in told}) == ["fcan", "joint-0", "joint-1"]
    assert [each["step"] for each in told] == sorted(each["step"] for each in told)
    assert all(each["learning_rate"] > 0 for each in told)
    joint = told[-1]["loss"]
    assert joint["total"] == pytest.approx(joint["classification"] + joint["segmentation"])
    stages = {each.get("stage") for each in events if each["kind"] == "progress"}
    assert {"mean colour", "saliency", "maps", "cues", "labels"} <= stages
    films = [each["step"] for each in events if each["kind"] == "film"]
    assert films == [2, 4, 6]
    looks = [each for each in events if each["kind"] == "validation"]
    assert ["tag_accuracy" in looks[0], "validation_miou" in looks[-1]] == [True, True]


def test_the_learning_rate_begins_anew_in_each_round(scenes: Path, tmp_path: Path):
    out = dcsp(scenes, tmp_path / "run", "--learning-rate", "0.001", "--adapt", "1")
    told = [each for each in events_of(out) if each["kind"] == "progress" and "loss" in each]
    last = {each["phase"]: each["learning_rate"] for each in told}
    # Poly at the second of two steps.
    assert last == {name: pytest.approx(1e-3 * 0.5**0.9) for name in ("fcan", "joint-0", "joint-1")}


def test_saliency_is_the_third_look_with_the_data_sets_mean_colour(whole: Path, scenes: Path):
    source = open_source(scenes)
    images = [read_image(item.image) for item in source.items]
    mean = np.concatenate([image.reshape(-1, 3) for image in images]).mean(axis=0)
    told = json.loads((whole / "saliency.json").read_text())
    np.testing.assert_allclose(told["fill"], mean, atol=1e-9)
    detect = saliency_source("classical")
    steps = hierarchical_saliency(images[3], detect, (0.7, 0.8), mean)
    written = read_heat(whole / "saliency" / f"{source.items[3].name}.png")
    np.testing.assert_allclose(written, steps[2].merged, atol=0.51 / 255)
    assert len(list((whole / "saliency").glob("*.png"))) == len(source.items)


def test_maps_are_the_largest_of_three_scales_each_from_0_to_1(whole: Path, scenes: Path):
    source = open_source(scenes)
    network, card = load(whole / "checkpoint-1-fcan")
    for item in source.items[:3]:
        image = read_image(item.image)
        volume = largest(lambda seen: network(seen).maps, card, image)
        for tag in item.tags:
            raw = volume[card.class_ids.index(tag)]
            expected = (raw - raw.min()) / (raw.max() - raw.min())
            found = read_heat(whole / "maps" / item.name / f"{source.classes[tag]}.png")
            np.testing.assert_allclose(found, expected, atol=0.02)


def test_the_first_cues_are_algorithm_1(whole: Path, scenes: Path):
    source, seen = open_source(scenes), set()
    for item in source.items:
        salient = read_heat(whole / "saliency" / f"{item.name}.png")
        names = [source.classes[tag] for tag in item.tags]
        maps = [read_heat(whole / "maps" / item.name / f"{name}.png") for name in names]
        expected = dcsp_labels(resize(np.stack(maps), salient.shape), salient, item.tags, 0.3)
        cues = read_labels(whole / "cues" / "0" / "labels" / f"{item.name}.png")
        assert np.array_equal(cues, expected)
        seen |= set(np.unique(cues))
    assert len(seen) > 3


def test_adapted_cues_are_the_networks_own_labels_among_background_and_tags(
    whole: Path, scenes: Path
):
    source = open_source(scenes)
    network, card = load(whole / "checkpoint-2-joint-0")
    for item in source.items[:4]:
        image = read_image(item.image)
        logits = largest(network.segment, card, image)
        absent = [i for i, id in enumerate((0, *card.class_ids)) if id and id not in item.tags]
        # Not infinite: what is interpolated between such values would be no number.
        logits[absent] = -1e9
        expected = np.array((0, *card.class_ids))[
            label_map(torch.from_numpy(logits), image.shape[:2])
        ]
        cues = read_labels(whole / "cues" / "1" / "labels" / f"{item.name}.png")
        assert (cues == expected).mean() > 0.99
        assert set(np.unique(cues)) <= {0, *item.tags}
        labels = read_labels(whole / "labels" / f"{item.name}.png")
        assert np.array_equal(labels, cues)


def test_what_is_measured_is_told_by_round(whole: Path):
    event = events_of(whole)[-1]
    metrics = event["metrics"]
    wanted = {"attention_miou", "cues_miou", "cues_1_miou", "miou_round_0", "miou", "loss"}
    assert wanted <= set(metrics)
    assert metrics["miou"] == metrics["miou_round_1"]
    assert load(whole)[1].origin["metrics"] == metrics
    assert event["maps"] == len(list((whole / "maps").rglob("*.png")))
    assert event["labels"] == len(list((whole / "labels").glob("*.png"))) == 10


def test_predict_labels_images_with_a_run_and_with_any_of_its_rounds(
    whole: Path, scenes: Path, tmp_path: Path
):
    for run in (whole, whole / "checkpoint-2-joint-0"):
        flags = ["--split", "val", "--scales", "1,0.75,0.5", "--fusion", "max", "--device", "cpu"]
        out = tmp_path / run.name
        arguments = ["--run", str(run), "--data", str(scenes), "--out", str(out), *flags]
        assert main(["predict", *arguments]) == 0
        assert len(list(out.glob("*.png"))) == 2


def test_without_joint_training_labels_come_of_attention_and_saliency(
    apart: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    network, card = load(apart)
    held = open_source(scenes, "val")
    for item in held.items:
        image = read_image(item.image)
        labels = read_labels(apart / "predictions" / f"{item.name}.png")
        assert labels.shape == image.shape[:2]
        small = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA)
        with torch.inference_mode():
            scores = network(card.normalisation.tensor(small)[None]).scores[0]
        found = {id for id, score in zip(card.class_ids, scores, strict=True) if score > 0}
        assert set(np.unique(labels)) <= {0, *found}
    metrics = events_of(apart)[-1]["metrics"]
    assert {"miou", "cues_miou", "attention_miou"} <= set(metrics)
    assert {path.name for path in (apart / "cues").iterdir()} == {"0"}
    out = ["--out", str(tmp_path / "out")]
    assert main(["predict", "--run", str(apart), "--data", str(scenes), *out]) == 2
    assert "learnt the tags alone (--no-joint)" in capsys.readouterr().err


def test_a_run_takes_the_attention_network_of_another(apart: Path, scenes: Path, tmp_path: Path):
    out = dcsp(scenes, tmp_path / "run", "--from", str(apart), "--adapt", "0")
    ours, theirs = (load(run / "checkpoint-1-fcan")[0].state_dict() for run in (out, apart))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert f"The phase fcan is taken from {apart}" in said(out)
    for path in (apart / "maps").rglob("*.png"):
        assert path.read_bytes() == (out / path.relative_to(apart)).read_bytes()
    told = [each for each in events_of(out) if each["kind"] == "progress" and "loss" in each]
    assert {(each["phase"], each["steps"]) for each in told} == {("joint-0", 2)}


def test_levelled_logits_begin_the_joint_training_at_a_scale_of_1(
    apart: Path, scenes: Path, tmp_path: Path
):
    flags = ["--from", str(apart), "--adapt", "0", "--learning-rate", "0"]
    looked = open_source(scenes).items[:6]
    images = torch.stack(
        [load(apart)[1].normalisation.tensor(read_image(item.image)) for item in looked]
    )
    seen = {}
    for name, more in (("as taught", []), ("levelled", ["--level-logits"])):
        network = load(dcsp(scenes, tmp_path / name, *flags, *more))[0]
        with torch.inference_mode():
            seen[name] = network(images)
    factor = seen["levelled"].maps / seen["as taught"].maps
    torch.testing.assert_close(factor, factor.mean().expand_as(factor), atol=0, rtol=1e-2)
    assert factor.mean() > 0
    scale = {name: each.segmentation.std(dim=(0, 2, 3)) for name, each in seen.items()}
    # The two steps move the statistics of the norm a little.
    assert scale["as taught"].min() < 0.5
    assert 0.7 < scale["levelled"].min() < scale["levelled"].max() < 1.8


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--pooling", "max"], "its pooling is average, here max"),
        (["--head-channels", "16"], "its channels is 8, here 16"),
        (["--split", "val"], "its classes is"),
    ],
)
def test_an_attention_network_of_other_settings_is_refused(
    apart: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags, sentence
):
    out = tmp_path / "run"
    assert train("dcsp", scenes, out, *SHORT, "--from", str(apart), *flags) == 2
    assert sentence in capsys.readouterr().err
    assert train("dcsp", scenes, tmp_path / "b", *SHORT, "--from", str(tmp_path)) == 2
    assert "has no finished phase fcan" in capsys.readouterr().err


def parts_of(run: Path, phase: str) -> set[str]:
    told = [each for each in events_of(run) if each.get("phase") == phase and "loss" in each]
    return set(next(each["loss"] for each in told if each["kind"] == "progress"))


def test_each_loss_can_be_left_out(apart: Path, scenes: Path, tmp_path: Path):
    for flag, left in (("classification", "segmentation"), ("segmentation", "classification")):
        more = ["--from", str(apart), "--adapt", "0", f"--no-{flag}-loss"]
        out = dcsp(scenes, tmp_path / flag, *more)
        assert parts_of(out, "joint-0") == {"total", left}


def test_leaving_out_both_losses_is_no_training(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    both = ["--no-classification-loss", "--no-segmentation-loss"]
    assert train("dcsp", scenes, tmp_path / "run", *SHORT, *both) == 2
    assert "leave nothing to learn" in capsys.readouterr().err
    assert train("dcsp", scenes, tmp_path / "run", *SHORT, "--erasing-steps", "4") == 2
    assert "wants 3 numbers in --erase-above, but there are 2" in capsys.readouterr().err


def test_the_released_gradient_and_no_classification_learn_the_same_trunk(
    apart: Path, scenes: Path, tmp_path: Path
):
    """The classification loss then ends at the last layer, so that the trunk never hears of it."""
    flags = ["--from", str(apart), "--adapt", "0"]
    released = dcsp(scenes, tmp_path / "released", *flags, "--gradient", "released")
    alone = dcsp(scenes, tmp_path / "alone", *flags, "--no-classification-loss")
    joint = dcsp(scenes, tmp_path / "joint", *flags)
    ours, theirs, other = (load(run)[0].state_dict() for run in (released, alone, joint))
    trunk = [name for name in ours if name.startswith(("backbone", "branches"))]
    assert all(torch.equal(ours[name], theirs[name]) for name in trunk)
    assert not all(torch.equal(ours[name], other[name]) for name in trunk)
    assert not torch.equal(ours["attention.weight"], theirs["attention.weight"])


def test_the_last_layers_alone_leave_the_trunk_as_it_began(scenes: Path, tmp_path: Path):
    flags = ["--no-joint", "--fcan-layers", "last", "--weights", "scenes-slim"]
    out = dcsp(scenes, tmp_path / "run", *flags)
    network, start = load(out)[0], load("scenes-slim")[0]
    ours, theirs = network.backbone.state_dict(), start.backbone.state_dict()
    kept = [name for name, tensor in theirs.items() if tensor.is_floating_point()]
    assert all(torch.equal(ours[name], theirs[name]) for name in kept)
    assert any("running_var" in name for name in kept)


def test_one_look_and_other_means_make_other_cues(apart: Path, scenes: Path, tmp_path: Path):
    made = {"apart": apart}
    for name, flags in (
        ("one look", ["--erasing-steps", "1"]),
        ("arithmetic", ["--mean", "arithmetic"]),
        ("geometric", ["--mean", "geometric"]),
        ("positive", ["--attention", "positive"]),
    ):
        start = [] if name == "positive" else ["--from", str(apart)]
        made[name] = dcsp(scenes, tmp_path / name, "--no-joint", "--seed", "2", *start, *flags)
    found = {
        name: b"".join(path.read_bytes() for path in sorted((run / "labels").glob("*.png")))
        for name, run in made.items()
    }
    assert len(set(found.values())) == len(made)
    assert json.loads((made["one look"] / "saliency.json").read_text())["fill"] is None


def test_saliency_of_a_folder_is_taken_as_it_is_and_what_lacks_it_teaches_its_tags_alone(
    apart: Path, scenes: Path, tmp_path: Path
):
    maps = tmp_path / "maps"
    maps.mkdir()
    kept = sorted((apart / "saliency").glob("*.png"))[:-2]
    for path in kept:
        (maps / path.name).write_bytes(path.read_bytes())
    known = {path.stem for path in kept} & {item.name for item in open_source(scenes).items}
    out = dcsp(scenes, tmp_path / "run", "--from", str(apart), "--saliency", f"folder:{maps}")
    assert "are taken as they are" in said(out)
    assert "have no saliency map" in said(out)
    assert {path.stem for path in (out / "cues" / "0" / "labels").glob("*.png")} == known
    # After the round the network labels every image.
    assert len(list((out / "labels").glob("*.png"))) == 10


def test_saliency_that_cannot_be_had_is_refused_before_anything_is_trained(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    maps, coloured = tmp_path / "maps", tmp_path / "coloured"
    maps.mkdir()
    coloured.mkdir()
    name = open_source(scenes).items[4].name
    cv2.imwrite(str(coloured / f"{name}.png"), np.full((8, 8, 3), (0, 90, 200), np.uint8))
    for where, sentence in (
        (f"folder:{coloured}", "is in colour; a saliency map is grey"),
        (f"folder:{maps}", "None of the 10 images has a saliency map"),
        ("folder:/nowhere", "There is no folder of saliency maps"),
        ("network:/nowhere", "There is no saliency network here"),
        ("guessing", "There is no saliency source 'guessing'"),
    ):
        assert train("dcsp", scenes, tmp_path / "run", *SHORT, "--saliency", where) == 2
        assert sentence in capsys.readouterr().err
        # Before anything is trained.
        assert not (tmp_path / "run").exists()
