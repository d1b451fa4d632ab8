"""The recipe affinity: sure labels of a run's maps, what they teach, and maps that walk by it."""

import json
import shutil
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.exchange.sources import open_source
from backend.labels import read_heat, read_labels, write_heat
from backend.maps import crf
from backend.maps.crf import labels_from_probabilities
from backend.random_walk import RandomWalk
from backend.weights import load
from training.cli import main
from training.evaluation import confusion, miou
from training.run import write_config

from .conftest import TINY, events_of, paint_voc, start, stop_after

STEPS = 24
FLAGS = ["--steps", str(STEPS), "--look", "48", "--seeds", "thresholds", "--crop-least", "1"]
FLAGS += ["--crop-most", "1", "--learning-rate", "0.003"]
installed = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))


def affinity(data: Path, maps: Path, out: Path, *more: str) -> int:
    named = ["--data", str(data), "--from", str(maps), "--out", str(out)]
    return main(["affinity", *named, *TINY, *FLAGS, *more])


def parts_of(data: Path, folder: Path) -> Path:
    """A run whose maps are blots: strongest above each object's middle, spilling over its border
    and missing its lower part, as class maps do.
    """
    source = open_source(data).tagged()
    folder.mkdir()
    write_config(folder, {"recipe": "classify", "settings": {}})
    for item in source.items:
        truth = source.truth(item)
        for tag in item.tags:
            rows, columns = np.nonzero(truth == tag)
            heat = np.zeros(truth.shape, np.float32)
            middle = (int(columns.mean()), int((3 * rows.min() + rows.max()) / 4))
            cv2.circle(heat, middle, 5, 1.0, -1)
            heat = cv2.GaussianBlur(heat, (0, 0), 5)
            small = cv2.resize(heat / heat.max(), (12, 12), interpolation=cv2.INTER_AREA)
            path = folder / "maps" / item.name / f"{source.classes[tag]}.png"
            write_heat(path, small / small.max())
    (folder / "events.jsonl").write_text('{"kind": "finished"}\n')
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_voc(tmp_path_factory.mktemp("data") / "voc", count=6)


@pytest.fixture(scope="module")
def maps(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return parts_of(data, tmp_path_factory.mktemp("maps") / "cam")


@pytest.fixture(scope="module")
def walked(data: Path, maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; not to be changed by a test."""
    out = tmp_path_factory.mktemp("runs") / "affinity"
    assert affinity(data, maps, out) == 0
    return out


def messages(run: Path) -> list[str]:
    return [event["text"] for event in events_of(run) if event["kind"] == "message"]


def made(run: Path) -> dict[str, bytes]:
    """Every file that a run made beside its weights and its log."""
    return {
        str(path.relative_to(run)): path.read_bytes()
        for folder in ("seeds", "labels", "maps")
        for path in sorted((run / folder).rglob("*.png"))
    }


def same(run: Path, other: Path) -> bool:
    one, two = (load(folder)[0].state_dict() for folder in (run, other))
    last = [events_of(folder)[-1] for folder in (run, other)]
    return (
        all(torch.equal(one[name], two[name]) for name in one)
        and made(run) == made(other)
        and last[0]["metrics"] == last[1]["metrics"]
    )


def test_every_image_gets_labels_of_its_tags_and_a_walked_map_of_each(walked: Path, data: Path):
    source = open_source(data).tagged()
    for item in source.items:
        labels = read_labels(walked / "labels" / f"{item.name}.png")
        assert labels.shape == (48, 48)
        assert set(np.unique(labels).tolist()) <= {0, *item.tags}
        for tag in item.tags:
            heat = read_heat(walked / "maps" / item.name / f"{source.classes[tag]}.png")
            assert heat.shape == (12, 12)
            assert heat.max() == 1
    finished = events_of(walked)[-1]
    assert (finished["kind"], finished["labels"], finished["maps"]) == ("finished", 6, 8)
    assert {"loss", "label_miou", "miou", "threshold"} <= set(finished["metrics"])


@installed
def test_the_crf_makes_seeds_by_which_maps_walk_to_the_objects_borders(
    data: Path, maps: Path, tmp_path: Path
):
    out = tmp_path / "run"
    assert affinity(data, maps, out, "--seeds", "crf") == 0
    told = json.loads((out / "seeds.json").read_text())
    assert (told["how"], told["preset"], told["low"], told["high"]) == ("crf", "psa", 4.0, 32.0)
    assert any("by the CRF psa" in text for text in messages(out))
    source = open_source(data).tagged()
    before = np.zeros((13, 13), np.int64)
    for item in source.items:
        heats = np.stack(
            [
                cv2.resize(
                    read_heat(maps / "maps" / item.name / f"{source.classes[tag]}.png"), (48, 48)
                )
                for tag in item.tags
            ]
        )
        behind = (1 - heats.max(axis=0))[None] ** 16
        labels = labels_from_probabilities(np.concatenate([behind, heats]), item.tags)
        before += confusion(labels, source.truth(item), 13)
    assert 50 < 100 * miou(before) < 65
    assert events_of(out)[-1]["metrics"]["label_miou"] > 75


def test_what_the_labels_are_made_of_is_on_record_and_the_weights_walk_other_maps(
    walked: Path, maps: Path, data: Path
):
    told = json.loads((walked / "provenance.json").read_text())
    assert told["attention"]["run"] == "cam"
    assert told["seeds"] == "thresholds"
    walk = RandomWalk.load(walked)
    assert (walk.card.kind, walk.card.input_size, walk.card.stride) == ("affinity", 48, 4)
    item = open_source(data).tagged().items[0]
    image = cv2.imread(str(item.image))[..., ::-1]
    heat = read_heat(maps / "maps" / item.name / "cat.png")[None]
    again = walk(image, heat, beta=24)
    expected = read_heat(walked / "maps" / item.name / "cat.png")
    np.testing.assert_allclose(again.maps[1] / again.maps[1].max(), expected, atol=0.003)
    assert again.at((30, 50)).shape == (2, 30, 50)
    assert again.maps.sum(axis=0).max() < 1.6


def test_a_run_killed_in_training_ends_as_one_that_was_not(
    walked: Path, data: Path, maps: Path, tmp_path: Path
):
    out = tmp_path / "hurt"
    named = ["--data", str(data), "--from", str(maps), "--out", str(out)]
    killed = start("affinity", *named, *TINY, *FLAGS, "--checkpoint-every", "0")
    enough = lambda text: text.count('"checkpoint"') >= 5  # noqa: E731
    assert stop_after(killed, out, enough, signal.SIGKILL) == -signal.SIGKILL
    assert not (out / "labels").exists()
    assert main(["affinity", "--out", str(out), "--resume"]) == 0
    assert any(text.startswith("Resumed at step") for text in messages(out))
    assert same(out, walked)


@pytest.mark.parametrize("stage", ["seeds", "walk"])
def test_a_run_killed_between_two_images_makes_the_others_and_keeps_these(
    walked: Path, tmp_path: Path, stage: str
):
    """As the process leaves it when it dies there: what was made before, nothing after it."""
    run = Path(shutil.copytree(walked, tmp_path / "run"))
    lines = (run / "events.jsonl").read_text().splitlines(keepends=True)
    (run / "events.jsonl").write_text(lines[0])
    if stage == "seeds":
        for path in run.glob("checkpoint-*"):
            path.unlink()
        for folder in ("labels", "maps"):
            shutil.rmtree(run / folder)
        (run / "weights.safetensors").unlink()
        (run / "seeds" / "im4.png").unlink()
    else:
        # The maps are written before the labels: one image has died between the two.
        (run / "labels" / "im2.png").unlink()
        (run / "labels" / "im4.png").unlink()
        shutil.rmtree(run / "maps" / "im4")
    kept = run / ("seeds" if stage == "seeds" else "labels") / "im0.png"
    before = kept.stat().st_mtime_ns
    assert main(["affinity", "--out", str(run), "--resume"]) == 0
    assert kept.stat().st_mtime_ns == before
    assert same(run, walked)


def test_an_image_without_maps_is_named_and_left_out(maps: Path, tmp_path: Path):
    data = paint_voc(tmp_path / "data", count=4)
    part = Path(shutil.copytree(maps, tmp_path / "part"))
    shutil.rmtree(part / "maps" / "im1")
    out = tmp_path / "run"
    assert affinity(data, part, out) == 0
    assert sorted(path.stem for path in (out / "labels").iterdir()) == ["im0", "im2", "im3"]
    said = messages(out)
    assert "im1 is left out: the run part has no map of its tags." in said
    assert "1 images have no map of their tags, and no labels." in said
    assert events_of(out)[-1]["labels"] == 3


@installed
def test_a_crf_may_follow_the_walk(walked: Path, data: Path, maps: Path, tmp_path: Path):
    out = tmp_path / "run"
    assert affinity(data, maps, out, "--crf", "irn") == 0
    assert {name for name, file in made(out).items() if file != made(walked)[name]} <= {
        f"labels/im{number}.png" for number in range(6)
    }
    assert made(out) != made(walked)


DEADLY = """
import os, signal, numpy as np
class DenseCRF2D:
    def __init__(self, width, height, labels):
        self.shape = labels, width * height
    def setUnaryEnergy(self, energy):
        self.energy = energy
    def addPairwiseGaussian(self, **_):
        pass
    def addPairwiseBilateral(self, rgbim, **_):
        # The one image that has a square and no disc, when its labels are made and not its seeds.
        if os.path.exists(os.environ["WEIGHTS"]) and rgbim[16, 14, 0] > 150 > rgbim[32, 34, 1]:
            os.kill(os.getpid(), signal.SIGKILL)
    def inference(self, steps):
        return np.exp(-self.energy)
"""


def test_an_image_over_which_workers_die_is_tried_twice_then_named_and_the_run_goes_on(
    data: Path, maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = tmp_path / "library" / "pydensecrf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "densecrf.py").write_text(DEADLY)
    out = tmp_path / "run"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "library"))
    monkeypatch.setenv("WEIGHTS", str(out / "weights.safetensors"))
    more = ["--seeds", "crf", "--crf", "irn", "--steps", "2"]
    named = ["--data", str(data), "--from", str(maps), "--out", str(out)]
    run = start("affinity", *named, *TINY, *FLAGS, *more)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    for name in ("im0", "im3"):
        assert f"{name} is left out: The dense CRF's process died" in said
    assert "2 of 6 images were left out." in said
    assert sorted(path.stem for path in (out / "labels").iterdir()) == ["im1", "im2", "im4", "im5"]


@pytest.mark.parametrize(("seeds", "status"), [("crf", 2), ("auto", 0)])
def test_without_the_crf_the_way_without_it_is_named(
    data: Path, maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], seeds: str, status: int,
):  # fmt: skip
    monkeypatch.setattr(crf, "missing", lambda: "The dense CRF is not installed.")
    out = tmp_path / "run"
    assert affinity(data, maps, out, "--seeds", seeds, "--steps", "1") == status
    said = capsys.readouterr().err
    if seeds == "crf":
        assert "The dense CRF is not installed. Or take --seeds thresholds." in said
        assert not out.exists()
    else:
        assert "The dense CRF is not installed. Seeds are made by thresholds, without" in said
        assert json.loads((out / "seeds.json").read_text())["how"] == "thresholds"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--from", ""], "--from is missing: name the folder of a run"),
        (["--from", "nowhere"], "nowhere is not a run's folder"),
        (["--from", "STOPPED"], "that is not finished: it was stopped"),
        (["--low-alpha", "40"], "--low-alpha is 40 and --high-alpha 32"),
        (["--sure-background", "0.9"], "--sure-background is 0.9 and --sure-object 0.3"),
        (["--seed-crf", "best"], "--seed-crf is 'best'; it can be psa, irn"),
    ],
)
def test_mistakes_are_sentences(
    data: Path, maps: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    more: list[str], sentence: str,
):  # fmt: skip
    stopped = Path(shutil.copytree(maps, tmp_path / "stopped"))
    (stopped / "events.jsonl").write_text('{"kind": "cancelled"}\n')
    given = [word.replace("STOPPED", str(stopped)) for word in more]
    assert affinity(data, maps, tmp_path / "run", *given) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
