"""SEC and DSRG as recipes: what they learn and leave behind, and what they cannot work with."""

import json
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.exchange.sources import open_source
from backend.labels import read_heat, read_labels, write_heat
from backend.maps import crf
from backend.weights import load
from training.cli import main
from training.events import EventWriter
from training.options import options_of, settle
from training.recipes import find_recipe
from training.recipes.dsrg import BATCH, RATE

from .conftest import TINY, events_of, paint_voc, start, stop_after

CAT, DOG = 8, 12
SMALL = ["--head-channels", "16", "--rates", "2", "--learning-rate", "5e-3"]
installed = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Painted images, the last two in the list val, a run whose maps know the middle of each
    object, and saliency that knows the objects roughly; not to be changed by a test.
    """
    folder = tmp_path_factory.mktemp("world")
    source = open_source(paint_voc(folder / "data"))
    lists = folder / "data" / "ImageSets" / "Segmentation"
    names = [item.name for item in source.items]
    (lists / "train.txt").write_text("\n".join(names[:6]) + "\n")
    (lists / "val.txt").write_text("\n".join(names[6:]) + "\n")
    (folder / "maps").mkdir()
    about = {"format": 1, "recipe": "oaa", "settings": {}}
    (folder / "maps" / "config.json").write_text(json.dumps(about))
    with closing(EventWriter(folder / "maps")) as events:
        events.write("finished")
    for item in source.items:
        truth = source.truth(item)
        anything = np.zeros(truth.shape, np.float32)
        for tag in item.tags:
            middle = cv2.erode((truth == tag).astype(np.uint8), np.ones((9, 9))).astype(np.float32)
            path = folder / "maps" / "maps" / item.name / f"{source.classes[tag]}.png"
            write_heat(path, middle)
            anything = np.maximum(anything, truth == tag)
        near = cv2.GaussianBlur(anything, (0, 0), 8)
        write_heat(folder / "saliency" / f"{item.name}.png", near / near.max())
    return folder


def train(world: Path, out: Path, method: str, *more: str) -> int:
    """The recipe over the list train of the world; its exit status."""
    return main(["dsrg", *arguments(world, out, method, *more)])


def arguments(world: Path, out: Path, method: str, *more: str) -> list[str]:
    given = ["--data", str(world / "data"), "--out", str(out), "--from", str(world / "maps")]
    given += ["--saliency", f"folder:{world / 'saliency'}", "--method", method]
    return [*given, *TINY, *SMALL, *more]


HOW = ["--steps", "24", "--checkpoint-every", "0", "--watch-every", "12", "--dropout", "0.2"]


@pytest.fixture(scope="module")
def whole(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run of a method that nothing happened to."""
    done: dict[str, Path] = {}

    def of(method: str) -> Path:
        if method not in done:
            done[method] = tmp_path_factory.mktemp("whole") / method
            assert train(world, done[method], method, *HOW) == 0
        return done[method]

    return of


def files(run: Path) -> dict[str, bytes]:
    made = [path for kind in ("cues", "labels", "film") for path in (run / kind).rglob("*.*")]
    return {str(path.relative_to(run)): path.read_bytes() for path in made}


def same(run: Path, other: Path) -> bool:
    """Whether two runs ended alike to the last bit."""
    weights, others = (load(folder)[0].state_dict() for folder in (run, other))
    metrics = [events_of(folder)[-1]["metrics"] for folder in (run, other)]
    return (
        all(torch.equal(weights[name], others[name]) for name in others)
        and files(run) == files(other)
        and metrics[0] == metrics[1]
    )


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that a failed run says; a traceback fails the test."""
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    (line,) = (line for line in printed.splitlines() if line.startswith("tagmask: "))
    return line


@installed
@pytest.mark.parametrize("method", ["dsrg", "sec"])
def test_a_run_leaves_a_segmenter_and_the_labels_of_every_image(
    world: Path, whole: Callable[[str], Path], method: str
):
    run = whole(method)
    source = open_source(world / "data", "train")
    network, card = load(run)
    assert card.kind == "segment"
    assert card.class_ids == (CAT, DOG)
    assert network.segment(torch.zeros(1, 3, 48, 48)).shape[1] == 3
    assert {path.stem for path in (run / "labels").glob("*.png")} == {
        item.name for item in source.items
    }
    for item in source.items:
        labels = read_labels(run / "labels" / f"{item.name}.png")
        assert labels.shape == (48, 48)
        assert set(np.unique(labels).tolist()) <= {0, *item.tags}
    told = json.loads((run / "provenance.json").read_text())["labels"]
    assert told["maps"]["recipe"] == "oaa"
    assert told["saliency"]["name"].startswith("folder:")
    finished = events_of(run)[-1]
    assert (finished["kind"], finished["weights"]) == ("finished", "weights.safetensors")
    assert finished["labels"] == 6
    assert set(finished["metrics"]) == {"loss", "seeded", "label_miou", "miou"}
    looks = [event for event in events_of(run) if event["kind"] == "validation"]
    assert [look["step"] for look in looks] == [12, 24]
    assert all(look["images"] == 2 for look in looks)
    assert len(list((run / "film").glob("*.png"))) == 2


@installed
def test_both_learn_the_objects_from_their_middles(whole: Callable[[str], Path]):
    """All background gets 33; the cues alone, the rest being background, get less than 60."""
    for method in ("dsrg", "sec"):
        assert events_of(whole(method))[-1]["metrics"]["label_miou"] > 70, method


@installed
def test_the_cues_grow_with_dsrg_and_stay_with_sec(whole: Callable[[str], Path]):
    seeded = {}
    for method in ("dsrg", "sec"):
        epochs = [event for event in events_of(whole(method)) if event["kind"] == "epoch"]
        seeded[method] = [event["seeded"] for event in epochs]
    stayed = seeded["sec"]
    assert stayed == pytest.approx([stayed[0]] * len(stayed))
    assert min(seeded["dsrg"]) >= stayed[0] - 1e-6
    assert seeded["dsrg"][-1] > 1.5 * stayed[0]
    assert seeded["dsrg"][-1] > seeded["dsrg"][0]


@installed
def test_each_method_has_its_losses(whole: Callable[[str], Path], world: Path, tmp_path: Path):
    parts = {}
    for method in ("dsrg", "sec"):
        epoch = next(event for event in events_of(whole(method)) if event["kind"] == "epoch")
        parts[method] = {"seed", "expand", "constrain"} & set(epoch)
    assert parts == {"dsrg": {"seed", "constrain"}, "sec": {"seed", "expand", "constrain"}}
    flags = ["--steps", "1", "--no-constrain", "--watch-every", "-1"]
    assert train(world, tmp_path / "run", "sec", *flags) == 0
    epoch = next(event for event in events_of(tmp_path / "run") if event["kind"] == "epoch")
    assert epoch["loss"] == pytest.approx(epoch["seed"] + epoch["expand"])


@installed
@pytest.mark.parametrize("method", ["dsrg", "sec"])
def test_a_run_killed_at_any_step_ends_as_one_that_was_not(
    world: Path, tmp_path: Path, whole: Callable[[str], Path], method: str
):
    whole(method)
    out = tmp_path / "hurt"
    at = int(np.random.default_rng().integers(1, 12))
    killed = start("dsrg", *arguments(world, out, method, *HOW))
    enough = lambda text: text.count('"checkpoint"') >= at  # noqa: E731
    assert stop_after(killed, out, enough, signal.SIGKILL) == -signal.SIGKILL
    assert not (out / "weights.safetensors").exists()
    assert main(["dsrg", "--out", str(out), "--resume"]) == 0
    assert any(event.get("text", "").startswith("Resumed at") for event in events_of(out))
    assert same(out, whole(method)), f"killed at step {at}"


@installed
def test_a_run_killed_among_its_labels_writes_the_rest(
    tmp_path: Path, whole: Callable[[str], Path]
):
    run = shutil.copytree(whole("dsrg"), tmp_path / "run")
    lines = (run / "events.jsonl").read_text().splitlines(keepends=True)
    (run / "events.jsonl").write_text("".join(lines[:-1]))
    (run / "weights.safetensors").unlink()
    for lost in sorted((run / "labels").glob("*.png"))[2:]:
        lost.unlink()
    assert main(["dsrg", "--out", str(run), "--resume"]) == 0
    assert same(run, whole("dsrg"))


def test_labels_may_hold_classes_that_an_image_is_not_tagged_with(world: Path, tmp_path: Path):
    """A network that has learnt next to nothing sees both classes in every image."""
    strangers = {}
    source = open_source(world / "data", "train")
    for how in ("limit-to-tags", "no-limit-to-tags"):
        flags = ["--steps", "1", "--no-constrain", "--crf", "none", "--watch-every", "-1"]
        out = tmp_path / how
        assert train(world, out, "dsrg", *flags, f"--{how}") == 0
        strangers[how] = [
            item.name
            for item in source.items
            if set(np.unique(read_labels(out / "labels" / f"{item.name}.png")).tolist())
            - {0, *item.tags}
        ]
    assert strangers["limit-to-tags"] == []
    assert strangers["no-limit-to-tags"]


@installed
def test_a_part_of_the_images_is_taught_by_its_own_cues(world: Path, tmp_path: Path):
    flags = ["--steps", "3", "--part", "0.5", "--watch-every", "-1", "--crf", "none"]
    assert train(world, tmp_path / "run", "dsrg", *flags) == 0
    assert len(list((tmp_path / "run" / "labels").glob("*.png"))) == 6


def test_without_the_crf_both_its_uses_must_be_given_up(
    world: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(crf, "missing", lambda: "The dense CRF is not installed: as if.")
    flags = ["--steps", "2", "--watch-every", "-1"]
    assert train(world, tmp_path / "a", "dsrg", *flags) == 2
    assert "as if. --no-constrain trains without the boundary loss." in said(capsys)
    assert not (tmp_path / "a" / "cues").exists()
    assert train(world, tmp_path / "b", "dsrg", *flags, "--no-constrain") == 2
    assert "as if. --crf none leaves the labels as" in said(capsys)
    assert train(world, tmp_path / "c", "dsrg", *flags, "--no-constrain", "--crf", "none") == 0
    assert len(list((tmp_path / "c" / "labels").glob("*.png"))) == 6


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (["--from", ""], "--from is missing: name the folder of a finished run"),
        (["--from", "/nowhere"], "/nowhere is not a run's folder"),
        (["--saliency", "folder:/nowhere"], "There is no folder of saliency maps at /nowhere"),
        (["--cue-threshold", "1"], "None of the 8 tags has a cue"),
        (["--cue-threshold", "1.5"], "--cue-threshold is 1.5; it must be from 0 to 1"),
    ],
)
def test_what_cannot_be_learnt_from_is_a_sentence(
    world: Path,
    tmp_path: Path,
    changed: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
):
    flags = ["--no-constrain", "--crf", "none", *changed]
    assert train(world, tmp_path / "run", "dsrg", *flags) == 2
    assert sentence in said(capsys)


@installed
def test_a_loss_that_leaves_the_numbers_names_its_step(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    flags = ["--steps", "4", "--learning-rate", "1e30", "--watch-every", "-1"]
    assert train(world, tmp_path / "run", "dsrg", *flags) == 2
    assert "The loss became nan at step 2 of 4" in said(capsys)


def test_the_papers_numbers_are_the_papers():
    known = {each.name: each for each in options_of(find_recipe("dsrg").settings)}
    paper = {
        "cue_threshold": 0.2,
        "background_part": 0.1,
        "grow_foreground": 0.85,
        "grow_background": 0.99,
        "decay": 0.996,
        "background_decay": 0.999,
        "steps": 8000,
        "size": 321,
        "crop": "whole",
        "weight_decay": 5e-4,
        "dropout": 0.5,
        "constrain": True,
    }
    for name, number in paper.items():
        assert known[name].default["paper"] == number, name
        assert known[name].section.startswith(("SEC", "DSRG")), name
    assert (BATCH, RATE) == ({"sec": 15, "dsrg": 20}, {"sec": 1e-3, "dsrg": 5e-4})
    settings = settle(find_recipe("dsrg").settings, "paper", {})
    assert (settings.backbone, settings.head) == ("vgg16", "largefov")
    assert settings.schedule == "step"
    assert settings.decay_at * settings.steps == 2000


def test_a_run_that_is_not_at_its_end_is_refused(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(world, tmp_path / "world")
    (tmp_path / "world" / "maps" / "events.jsonl").unlink()
    flags = ["--no-constrain", "--crf", "none"]
    assert train(tmp_path / "world", tmp_path / "run", "dsrg", *flags) == 2
    assert "is a run of 'oaa' that is not finished" in said(capsys)
    assert not (tmp_path / "run").exists()


@installed
def test_a_run_whose_cues_became_others_does_not_go_on(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(world, tmp_path / "world")
    flags = ["--steps", "2", "--watch-every", "-1", "--crf", "none"]
    run = tmp_path / "run"
    assert train(tmp_path / "world", run, "sec", *flags) == 0
    lines = (run / "events.jsonl").read_text().splitlines(keepends=True)
    (run / "events.jsonl").write_text("".join(lines[:-1]))
    for path in (tmp_path / "world" / "saliency").glob("*.png"):
        write_heat(path, 1 - read_heat(path))
    shutil.rmtree(run / "cues")
    capsys.readouterr()
    assert main(["dsrg", "--out", str(run), "--resume"]) == 2
    assert "of the cues" in said(capsys)
