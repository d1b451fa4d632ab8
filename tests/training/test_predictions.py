"""`python -m training predict`: files for every image, made once, whatever lies in the folder."""

import json
import signal
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from backend.errors import RefinementError
from backend.exchange.sources import open_source
from backend.labels import read_heat, read_labels, voc_palette
from backend.maps import crf
from backend.networks import TORCHVISION
from backend.refinement import CrfPool
from backend.weights import WeightsCard, read_card, save
from training.cli import main
from training.machine import Machine, open_fabric
from training.prediction_record import RECORD
from training.predictions import predict
from training.run import Cancelled, Run
from training.viewing import Viewing

from .conftest import paint_voc, start, train

FABRIC = open_fabric(Machine(device="cpu", precision="32"))
needs_crf = pytest.mark.skipif(bool(crf.missing()), reason="the dense CRF is not installed")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight painted images, three of them in the list test; not to be changed."""
    root = paint_voc(tmp_path_factory.mktemp("data") / "voc")
    (root / "ImageSets" / "Segmentation" / "test.txt").write_text("im2\nim5\nim7\n")
    return root


@pytest.fixture(scope="module")
def segmenter(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of some steps; not to be changed by a test."""
    out = tmp_path_factory.mktemp("runs") / "segmenter"
    how = ["--strong", "train", "--steps", "30", "--head-channels", "16", "--rates", "2"]
    assert train("segment", data, out, *how, "--watch-every", "-1", "--no-labels") == 0
    return out


@pytest.fixture(params=[1, 3], ids=["one image at a time", "three beside one another"])
def lanes(request: pytest.FixtureRequest) -> Iterator[int]:
    """How many cores the network may take, and so how many images are on their way."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    assert torch.get_num_threads() == request.param
    torch.set_num_threads(before)


def painted(segmenter: Path, data: Path, out: Path, *more: str) -> int:
    named = ["--run", str(segmenter), "--data", str(data), "--out", str(out), "--device", "cpu"]
    return main(["predict", *named, *more])


def made(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def test_every_image_gets_a_palette_png_of_its_own_size(
    segmenter: Path, data: Path, tmp_path: Path, lanes: int
):
    assert painted(segmenter, data, tmp_path / "out") == 0
    assert list(made(tmp_path / "out")) == [f"im{number}" for number in range(8)]
    with Image.open(tmp_path / "out" / "im2.png") as image:
        assert (image.mode, image.size) == ("P", (48, 48))
        assert image.getpalette()[: 3 * 20] == voc_palette()[:20].ravel().tolist()
    found, true = (
        read_labels(folder / "im2.png") for folder in (tmp_path / "out", data / "SegmentationClass")
    )
    assert set(np.unique(found).tolist()) == {0, 8, 12}
    assert (found == true).mean() > 0.85


def test_a_list_or_a_plain_folder_of_images_will_do(segmenter: Path, data: Path, tmp_path: Path):
    assert painted(segmenter, data, tmp_path / "list", "--split", "test") == 0
    assert painted(segmenter, data / "JPEGImages", tmp_path / "plain") == 0
    listed, plain = made(tmp_path / "list"), made(tmp_path / "plain")
    assert list(listed) == ["im2", "im5", "im7"]
    assert len(plain) == 8
    assert all(plain[name] == listed[name] for name in listed)


def test_what_is_there_is_not_made_again(
    segmenter: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert painted(segmenter, data, out) == 0
    first = made(out)
    times = {name: (out / f"{name}.png").stat().st_mtime_ns for name in first}
    (out / "im3.png").unlink()
    assert painted(segmenter, data, out) == 0
    assert "7 images are predicted already; 1 remain." in capsys.readouterr().err
    assert made(out) == first
    kept = {name: (out / f"{name}.png").stat().st_mtime_ns for name in first if name != "im3"}
    assert kept.items() <= times.items()


def test_other_weights_or_settings_make_all_of_it_again(
    segmenter: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out, other = tmp_path / "out", tmp_path / "other"
    how = ["--strong", "train", "--steps", "3", "--head-channels", "16", "--watch-every", "-1"]
    assert train("segment", data, other, *how, "--no-labels") == 0
    assert painted(segmenter, data, out) == 0
    first = made(out)
    assert painted(other, data, out, "--split", "test") == 0
    assert (
        "8 predictions of an earlier run are made again: other weights" in capsys.readouterr().err
    )
    assert list(made(out)) == ["im2", "im5", "im7"]
    assert painted(segmenter, data, out, "--flip") == 0
    assert "made again" in capsys.readouterr().err
    assert painted(segmenter, data, out) == 0
    assert made(out) == first


def test_a_folder_with_pngs_of_another_making_is_left_alone(
    segmenter: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "im1.png").write_bytes(b"precious")
    assert painted(segmenter, data, tmp_path) == 2
    assert "holds 1 PNGs that were not predicted here (im1.png" in capsys.readouterr().err
    assert (tmp_path / "im1.png").read_bytes() == b"precious"


def test_labels_can_be_limited_to_an_images_tags(segmenter: Path, tmp_path: Path):
    """The tags are read as names: this data set numbers the classes otherwise."""
    data = paint_voc(tmp_path / "data", count=4)
    (data / "classes.txt").write_text("dog\ncat\nhorse\n")
    (data / "tags.csv").write_text("image,tags\nim0,cat\nim1,cat\nim2,horse\nim3,\n")
    assert painted(segmenter, data, tmp_path / "out", "--limit-to-tags") == 0
    found = {
        name: set(np.unique(read_labels(tmp_path / "out" / f"{name}.png")).tolist())
        for name in ("im0", "im1", "im2", "im3")
    }
    assert found["im0"] == {0, 8}
    assert 12 not in found["im1"]
    assert found["im2"] == {0}
    assert 8 in found["im3"]


def test_there_must_be_tags_to_limit_to(
    segmenter: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert painted(segmenter, data / "JPEGImages", tmp_path / "out", "--limit-to-tags") == 2
    assert "has a tag to limit its labels to" in capsys.readouterr().err


def test_images_beside_one_another_get_the_labels_that_they_get_in_turn(
    segmenter: Path, data: Path, tmp_path: Path
):
    views = ["--scales", "0.75,1", "--flip"]
    assert painted(segmenter, data, tmp_path / "turn", *views) == 0
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        assert painted(segmenter, data, tmp_path / "beside", *views) == 0
    finally:
        torch.set_num_threads(before)
    assert made(tmp_path / "beside") == made(tmp_path / "turn")


def test_an_unreadable_image_is_named_and_the_others_are_made(
    segmenter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], lanes: int
):
    data = paint_voc(tmp_path / "data", count=4)
    (data / "JPEGImages" / "im1.jpg").write_bytes(b"nothing of the kind")
    assert painted(segmenter, data, tmp_path / "out") == 2
    assert list(made(tmp_path / "out")) == ["im0", "im2", "im3"]
    assert "1 images are left out: im1." in capsys.readouterr().err


@needs_crf
def test_the_crf_draws_labels_to_the_edges(segmenter: Path, data: Path, tmp_path: Path):
    plain, refined = tmp_path / "plain", tmp_path / "refined"
    assert painted(segmenter, data, plain, "--split", "test") == 0
    assert painted(segmenter, data, refined, "--split", "test", "--crf", "dcsp") == 0
    right = []
    for folder in (plain, refined):
        pairs = [
            (
                read_labels(folder / f"{name}.png"),
                read_labels(data / f"SegmentationClass/{name}.png"),
            )
            for name in ("im2", "im5", "im7")
        ]
        right.append(np.mean([(found == true).mean() for found, true in pairs]))
    assert right[1] > right[0]
    assert json.loads((refined / RECORD).read_text())["crf"] == "dcsp"


def test_an_image_whose_crf_fails_is_left_out_and_tried_the_next_time(
    segmenter: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lanes: int
):
    monkeypatch.setattr(crf, "missing", lambda: None)
    times = iter(range(100))

    def fails_once(self: CrfPool, image: np.ndarray, unary: np.ndarray, how: object) -> np.ndarray:
        if next(times) == 1:
            raise RefinementError("The dense CRF's process died.")
        return unary

    monkeypatch.setattr(CrfPool, "refine", fails_once)
    assert painted(segmenter, data, tmp_path / "out", "--crf", "dcsp") == 2
    assert len(made(tmp_path / "out")) == 7
    assert painted(segmenter, data, tmp_path / "out", "--crf", "dcsp") == 0
    assert len(made(tmp_path / "out")) == 8


def test_the_servers_archive_holds_the_list_and_nothing_else(
    segmenter: Path, data: Path, tmp_path: Path
):
    out, file = tmp_path / "out", tmp_path / "results.tgz"
    assert painted(segmenter, data, out, "--voc-submission", str(file)) == 0
    with tarfile.open(file) as archive:
        names = archive.getnames()
        inside = archive.extractfile(names[0])
        assert inside is not None
        assert inside.read() == (out / "im2.png").read_bytes()
    folder = "results/VOC2012/Segmentation/comp6_test_cls"
    assert names == [f"{folder}/{name}.png" for name in ("im2", "im5", "im7")]
    first = file.read_bytes()
    assert painted(segmenter, data, out, "--voc-submission", str(file)) == 0
    assert file.read_bytes() == first
    more = ["--split", "train", "--competition", "comp5", "--voc-submission", str(file)]
    assert painted(segmenter, data, out, *more) == 0
    with tarfile.open(file) as archive:
        assert len(archive.getnames()) == 8
        assert archive.getnames()[0] == "results/VOC2012/Segmentation/comp5_train_cls/im0.png"


def test_an_archive_that_would_lack_an_image_is_not_written(
    segmenter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = paint_voc(tmp_path / "data", count=4)
    (data / "JPEGImages" / "im1.jpg").write_bytes(b"nothing of the kind")
    file = tmp_path / "results.tgz"
    more = ["--split", "train", "--voc-submission", str(file)]
    assert painted(segmenter, data, tmp_path / "out", *more) == 2
    said = capsys.readouterr().err
    assert "1 of the 4 images of the list train have no prediction: im1" in said
    assert not file.exists()


class Half(nn.Module):
    """A saliency network to which the left half stands out."""

    def saliency(self, images: torch.Tensor) -> torch.Tensor:
        return torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(len(images), 1, 4, 4)


def test_a_saliency_network_paints_grey_maps(data: Path, tmp_path: Path):
    source = open_source(data)
    done = predict(
        Run("test", tmp_path), FABRIC, Half(), source, {}, TORCHVISION, Viewing(), tmp_path,
        weights="half",
    )  # fmt: skip
    assert (done.written, done.before) == (8, 0)
    heat = read_heat(tmp_path / "im0.png")
    assert heat.shape == (48, 48)
    assert (heat[:, :12] == 1).all()
    assert (heat[:, 36:] == 0).all()


def test_a_run_that_is_asked_to_stop_stops_between_images(data: Path, tmp_path: Path, lanes: int):
    run = Run("test", tmp_path)
    run.stop.signal = 15
    with pytest.raises(Cancelled):
        predict(
            run, FABRIC, Half(), open_source(data), {}, TORCHVISION, Viewing(), tmp_path,
            weights="half",
        )  # fmt: skip
    assert made(tmp_path) == {}


def test_memory_holds_a_few_images_however_many_there_are(data: Path, tmp_path: Path, lanes: int):
    """What was read is finished before much more is read."""
    alive: list[int] = []
    held = [0]

    class Counting(Half):
        def saliency(self, images: torch.Tensor) -> torch.Tensor:
            held[0] += 1
            alive.append(held[0] - len(list(tmp_path.glob("*.png"))))
            return super().saliency(images)

    source = open_source(data)
    predict(
        Run("test", tmp_path), FABRIC, Counting(), source, {}, TORCHVISION, Viewing(), tmp_path,
        weights="half",
    )  # fmt: skip
    assert max(alive) <= (5 if lanes == 1 else lanes)


@pytest.fixture
def slow(segmenter: Path, tmp_path: Path) -> list[str]:
    data = paint_voc(tmp_path / "data", count=24)
    named = ["--run", str(segmenter), "--data", str(data), "--out", str(tmp_path / "out")]
    return ["predict", *named, "--device", "cpu", "--flip"]


def test_a_command_killed_on_its_way_goes_on_where_it_was(slow: list[str], tmp_path: Path):
    out = tmp_path / "out"
    process = start(*slow)
    while process.poll() is None:
        if len(list(out.glob("*.png"))) > 1:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait(timeout=120) == -signal.SIGKILL
    there = made(out)
    assert 1 < len(there) < 24
    assert main(slow) == 0
    whole = made(out)
    assert len(whole) == 24
    assert there.items() <= whole.items()
    slow[slow.index("--out") + 1] = str(tmp_path / "again")
    assert main(slow) == 0
    assert made(tmp_path / "again") == whole


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--scales", "1,x"], "--scales is '1,x'; it takes numbers from 0.1 to 4"),
        (["--scales", "9"], "--scales is '9'; it takes numbers from 0.1 to 4"),
        (["--size", "-3"], "--size is -3; it must be at least 0"),
        (["--split", "gold"], "has no split gold"),
        (["--voc-submission", "results.zip"], "the archive's name ends in .tgz"),
    ],
)
def test_mistakes_are_sentences(
    segmenter: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    sentence: str,
):
    assert painted(segmenter, data, tmp_path / "out", *more) == 2
    assert sentence in capsys.readouterr().err


def test_weights_that_paint_nothing_are_refused(
    trained: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert painted(trained, data, tmp_path / "out") == 2
    assert "makes attention maps and no labels" in capsys.readouterr().err


def test_the_server_knows_vocs_classes_alone(
    segmenter: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from dataclasses import replace

    from backend.weights import load

    network, card = load(segmenter)
    file = tmp_path / "weights.safetensors"
    save(file, network, replace(card, classes=("cat", "unicorn")))
    assert isinstance(read_card(file), WeightsCard)
    assert painted(file, data, tmp_path / "out", "--voc-submission", str(tmp_path / "a.tgz")) == 2
    assert "these weights know unicorn otherwise" in capsys.readouterr().err
