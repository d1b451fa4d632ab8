"""`labels` with other refinements than the CRF, more looks for saliency, and accidents."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.labels import read_heat, read_labels
from backend.maps import crf
from backend.maps.erasing import hierarchical_saliency
from backend.networks.affinity import AffinityNet
from backend.networks.normalisation import TORCHVISION
from backend.random_walk import RandomWalk
from backend.saliency import classical
from backend.weights import WeightsCard, save
from training.cli import main

from .conftest import PROJECT, events_of, paint_voc

COUNT = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_voc(tmp_path_factory.mktemp("data") / "voc", count=COUNT)


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Affinity weights that nobody trained: what is alike in colour is alike in them."""
    torch.manual_seed(1)
    network = AffinityNet("slim")
    card = WeightsCard(
        name="near", kind="affinity", backbone="slim", stride=4, classes=(), class_ids=(),
        normalisation=TORCHVISION, input_size=48, architecture=network.settings,
    )  # fmt: skip
    file = tmp_path_factory.mktemp("near") / "weights.safetensors"
    save(file, network, card)
    return file


def labels(trained: Path, data: Path, out: Path, *more: str) -> int:
    named = ["--weights", str(trained), "--data", str(data), "--out", str(out), "--device", "cpu"]
    return main(["labels", *named, "--crf", "none", *more])


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]


def said(run: Path) -> list[str]:
    return [event["text"] for event in events_of(run) if event["kind"] == "message"]


def test_the_walk_of_the_attention_makes_the_masks(
    trained: Path, data: Path, near: Path, tmp_path: Path
):
    out = tmp_path / "run"
    more = ["--refine", "walk", "--affinity", str(near), "--walk-steps", "2", "--walk-alpha", "20"]
    assert labels(trained, data, out, *more) == 0
    walk = RandomWalk.load(near)
    told = json.loads((out / "provenance.json").read_text())
    assert told["affinity"]["digest"] == walk.card.digest
    for line in lines(out):
        assert line["method"].startswith("cam.walk · ")
        assert line["method"].endswith(f" · near ({walk.card.digest[:8]})")
    image = cv2.imread(str(data / "JPEGImages" / "im2.jpg"))[..., ::-1]
    heats = np.stack([read_heat(out / "maps" / "im2" / f"{tag}.png") for tag in ("cat", "dog")])
    walked = walk(image, heats, steps=2, alpha=20).at((48, 48))
    expected = np.array([0, 8, 12])[walked.argmax(axis=0)]
    # The maps in the files are rounded to 8 bits.
    assert (read_labels(out / "labels" / "im2.png") == expected).mean() > 0.98
    assert {0, 8, 12} == set(np.unique(expected).tolist())


def test_grabcut_cuts_the_fusions_labels_anew(trained: Path, data: Path, tmp_path: Path):
    assert labels(trained, data, tmp_path / "fused", "--refine", "none") == 0
    assert labels(trained, data, tmp_path / "cut", "--refine", "grabcut") == 0
    assert {line["method"].split(" · ")[0] for line in lines(tmp_path / "cut")} == {
        "cam.dcsp.grabcut"
    }
    assert {line["method"].split(" · ")[0] for line in lines(tmp_path / "fused")} == {"cam.dcsp"}
    changed = [
        (read_labels(tmp_path / "cut" / "labels" / f"im{number}.png")
         != read_labels(tmp_path / "fused" / "labels" / f"im{number}.png")).any()
        for number in range(COUNT)
    ]  # fmt: skip
    assert any(changed)


def test_more_looks_for_saliency_find_more_and_are_told(trained: Path, data: Path, tmp_path: Path):
    one, three = tmp_path / "one", tmp_path / "three"
    assert labels(trained, data, one) == 0
    more = ["--erasing-steps", "3", "--erase-above", "0.3,0.4"]
    assert labels(trained, data, three, *more) == 0
    assert all(line["method"].endswith("classical, 3 looks") for line in lines(three))
    assert all(line["method"].endswith("· classical") for line in lines(one))
    found = [
        sum((read_labels(run / "labels" / f"im{number}.png") > 0).sum() for number in range(COUNT))
        for run in (one, three)
    ]
    assert found[1] > found[0]


def test_every_look_is_kept_where_that_is_asked_for(trained: Path, data: Path, tmp_path: Path):
    more = ["--erasing-steps", "3", "--erase-above", "0.3,0.4", "--keep-looks"]
    assert labels(trained, data, tmp_path / "run", *more) == 0
    looks = tmp_path / "run" / "looks"
    assert {path.name for path in looks.iterdir()} == {f"im{number}" for number in range(COUNT)}
    names = {"step1", *(f"step{n}{part}" for n in (2, 3) for part in (".erased", ".raw", ""))}
    for folder in looks.iterdir():
        assert {path.stem for path in folder.iterdir()} == names
    image = cv2.imread(str(data / "JPEGImages" / "im2.jpg"))
    steps = hierarchical_saliency(image[..., ::-1], classical, (0.3, 0.4))
    for number, step in enumerate(steps, start=1):
        merged = read_heat(looks / "im2" / f"step{number}.png")
        np.testing.assert_allclose(merged, step.merged, atol=1 / 255)
    erased = cv2.imread(str(looks / "im2" / "step3.erased.png"))
    assert np.array_equal(erased[..., ::-1], steps[2].erased)
    raw = read_heat(looks / "im2" / "step3.raw.png")
    np.testing.assert_allclose(raw, steps[2].raw, atol=1 / 255)


def saliency_folder(root: Path, names: list[str]) -> Path:
    root.mkdir()
    for name in names:
        cv2.imwrite(str(root / f"{name}.png"), np.full((48, 48), 200, np.uint8))
    return root


def test_images_without_a_saliency_map_are_counted_and_named_or_refused(
    trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    maps = saliency_folder(tmp_path / "maps", ["im0", "im3"])
    out = tmp_path / "run"
    more = ["--saliency", f"folder:{maps}"]
    assert labels(trained, data, out, *more) == 0
    assert [line["image"] for line in lines(out)] == ["im0", "im3"]
    assert f"2 of 4 images have no saliency map in {maps} and get no labels: im1, im2." in said(out)
    assert "2 of 4 images have no labels." in said(out)
    capsys.readouterr()
    assert labels(trained, data, tmp_path / "no", *more, "--missing-saliency", "refuse") == 2
    refused = capsys.readouterr().err
    assert f"2 of 4 images have no saliency map in {maps}: im1, im2. Add them" in refused
    assert not (tmp_path / "no" / "labels").exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--refine", "walk"], "--refine is walk, but --affinity is missing"),
        (["--refine", "walk", "--affinity", "TRAINED"], "holds a network of the kind 'cam'"),
        (["--refine", "magic"], "--refine is 'magic'; it can be crf, walk, grabcut, none"),
        (["--erasing-steps", "4"], "4 looks for saliency want 3 thresholds in erase_above"),
        (["--keep-looks"], "but --erasing-steps is 1. Ask for more looks"),
        (["--erasing-steps", "9"], "--erasing-steps is 9; it must be from 1 to 5"),
        (["--erasing-steps", "2", "--saliency", "folder:MAPS"], "the maps of folder:maps were"),
    ],
)  # fmt: skip
def test_mistakes_are_sentences(
    trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    more: list[str], sentence: str,
):  # fmt: skip
    maps = saliency_folder(tmp_path / "maps", ["im0"])
    given = [word.replace("TRAINED", str(trained)).replace("MAPS", str(maps)) for word in more]
    assert labels(trained, data, tmp_path / "run", *given) == 2
    assert sentence in capsys.readouterr().err


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
        square, disc = rgbim[16, 14, 0] > 150, rgbim[32, 34, 1] > 150
        first = not os.path.exists(os.environ["DIED"])
        if disc and (square or first):
            open(os.environ["DIED"], "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
    def inference(self, steps):
        return np.exp(-self.energy)
"""


def test_an_image_that_kills_its_worker_twice_is_left_out_and_one_that_kills_once_is_not(
    trained: Path, data: Path, tmp_path: Path
):
    """A worker dies over the first image with a disc (im1), and over any with a square too (im2);
    killed as the system kills one that takes too much memory."""
    package = tmp_path / "library" / "pydensecrf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "densecrf.py").write_text(DEADLY)
    out = tmp_path / "run"
    named = ["--weights", str(trained), "--data", str(data), "--out", str(out), "--device", "cpu"]
    command = [sys.executable, "-m", "training", "labels", *named, "--threads", "1"]
    library = {"PYTHONPATH": str(tmp_path / "library"), "DIED": str(tmp_path / "died")}
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", **library},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line["image"] for line in lines(out)] == ["im0", "im1", "im3"]
    assert all(line["method"].startswith("cam.dcsp.crf · ") for line in lines(out))
    (left_out,) = [text for text in said(out) if "left out" in text]
    assert left_out.startswith("im2 is left out: The dense CRF's process died while it worked")
    assert "1 of 4 images have no labels." in said(out)
    assert not (out / "labels" / "im2.png").exists()


@pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
def test_labels_with_the_real_crf_are_the_same_for_one_and_for_two_processes(
    trained: Path, data: Path, tmp_path: Path
):
    made = []
    for threads in ("1", "2"):
        out = tmp_path / threads
        more = ["--crf", "irn", "--confidence", "0.7", "--threads", threads]
        assert labels(trained, data, out, *more) == 0
        files = sorted((out / "labels").iterdir())
        made.append([(path.name, path.read_bytes()) for path in files])
        assert [line["image"] for line in lines(out)] == [f"im{number}" for number in range(COUNT)]
    assert made[0] == made[1]
    assert len(made[0]) == COUNT
