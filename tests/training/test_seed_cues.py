"""Cues of a data set: what they are made of, what is refused, and how samples show them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.errors import SaliencyError
from backend.exchange.sources import Source, open_source
from backend.labels import read_heat, read_labels, write_heat
from backend.maps.cues import static_cues
from backend.saliency import saliency_source
from training.data import TaggedImages
from training.data import collate as collated
from training.errors import TrainingError
from training.run import Run
from training.run_maps import RunMaps
from training.seed_cues import CueBatches, CueMaker, cut_labels, grown, make_cues
from training.segmenting import channels_of
from training.view_maps import cut_out
from training.views import Augmentation, View

from .conftest import paint_voc

GRID = (12, 12)
CAT, DOG = 8, 12


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return open_source(paint_voc(tmp_path / "data"))


@pytest.fixture
def earlier(tmp_path: Path, source: Source) -> Path:
    """A run's folder whose maps are the true masks, a little blunt."""
    folder = tmp_path / "earlier"
    folder.mkdir()
    about = {"format": 1, "recipe": "oaa", "settings": {"epochs": 3}}
    (folder / "config.json").write_text(json.dumps(about))
    for item in source.items:
        for tag in item.tags:
            heat = np.where(source.truth(item) == tag, 0.6, 0.1).astype(np.float32)
            write_heat(folder / "maps" / item.name / f"{source.classes[tag]}.png", heat)
    return folder


@pytest.fixture
def saliency(tmp_path: Path, source: Source) -> Path:
    """Saliency that rises from left to right."""
    for item in source.items:
        heat = np.tile(np.linspace(0, 1, 48, dtype=np.float32), (48, 1))
        write_heat(tmp_path / "saliency" / f"{item.name}.png", heat)
    return tmp_path / "saliency"


def maker(earlier: Path, saliency: Path, source: Source, **changed: object) -> CueMaker:
    maps = RunMaps(str(earlier), source, (CAT, DOG))
    made = CueMaker(maps, saliency_source(f"folder:{saliency}"), GRID, 0.2, 0.1)
    return replace(made, **changed)  # type: ignore[arg-type]


def messages(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def a_run(tmp_path: Path, **more: object) -> Run:
    folder = tmp_path / "run"
    folder.mkdir(exist_ok=True)
    return Run("dsrg", folder, **more)  # type: ignore[arg-type]


def test_cues_are_those_of_the_maps_and_the_saliency_on_the_grid(
    tmp_path: Path, source: Source, earlier: Path, saliency: Path
):
    cues = make_cues(a_run(tmp_path), source, maker(earlier, saliency, source))
    for item in source.items:
        own = cues.by_name[item.name]
        assert own.dtype == np.uint8
        assert own.shape == GRID
        heats = [
            read_heat(earlier / "maps" / item.name / f"{source.classes[tag]}.png")
            for tag in item.tags
        ]
        blocks = np.stack(heats).reshape(-1, 12, 4, 12, 4).mean(axis=(2, 4))
        salient = read_heat(saliency / f"{item.name}.png").reshape(12, 4, 12, 4).mean(axis=(1, 3))
        expected = static_cues(blocks, salient)
        ids = np.array([0, *item.tags, *[255] * (255 - len(item.tags))])
        assert (own == ids[expected]).all()
        assert (read_labels(tmp_path / "run" / "cues" / f"{item.name}.png") == own).all()
    assert cues.origin["maps"]["recipe"] == "oaa"
    assert cues.origin["saliency"]["name"] == f"folder:{saliency}"


def test_a_second_start_reads_what_is_there_and_makes_the_rest(
    tmp_path: Path, source: Source, earlier: Path, saliency: Path
):
    run, how = a_run(tmp_path), maker(earlier, saliency, source)
    first = make_cues(run, source, how)
    files = sorted((run.folder / "cues").glob("*.png"))
    lost, kept = files[0], files[1]
    lost.unlink()
    times = kept.stat().st_mtime_ns
    again = make_cues(run, source, how)
    assert kept.stat().st_mtime_ns == times
    assert again.origin == first.origin
    for name, cues in first.by_name.items():
        assert (again.by_name[name] == cues).all()


def test_cues_of_other_numbers_are_made_anew(
    tmp_path: Path, source: Source, earlier: Path, saliency: Path
):
    run = a_run(tmp_path)
    first = make_cues(run, source, maker(earlier, saliency, source))
    more = make_cues(run, source, maker(earlier, saliency, source, background_part=0.5))
    assert first.origin["digest"] != more.origin["digest"]
    assert all((more.by_name[each.name] == 0).sum() > 30 for each in source.items)


def test_missing_saliency_is_refused_before_any_work_and_names_the_images(
    tmp_path: Path, source: Source, earlier: Path, saliency: Path
):
    for name in ("im2", "im5"):
        (saliency / f"{name}.png").unlink()
    with pytest.raises(SaliencyError, match=r"2 of 8 images have no saliency map in .*im2, im5"):
        make_cues(a_run(tmp_path), source, maker(earlier, saliency, source))
    assert not (tmp_path / "run" / "cues").exists()


def test_a_missing_map_is_refused_and_named(
    tmp_path: Path, source: Source, earlier: Path, saliency: Path
):
    (earlier / "maps" / "im2" / "dog.png").unlink()
    with pytest.raises(TrainingError, match=r"has no attention map of 1 tags: im2 \(dog\)"):
        make_cues(a_run(tmp_path), source, maker(earlier, saliency, source))


def test_a_tag_without_a_cue_is_named_and_its_image_still_teaches(
    tmp_path: Path,
    source: Source,
    earlier: Path,
    saliency: Path,
    capsys: pytest.CaptureFixture[str],
):
    write_heat(earlier / "maps" / "im2" / "dog.png", np.zeros((6, 6), np.float32))
    run = a_run(tmp_path)
    cues = make_cues(run, source, maker(earlier, saliency, source))
    taught = cues.taught(run, source)
    assert "1 of 10 tags have no cue" in (said := messages(capsys))
    assert "im2 (dog)" in said
    assert len(taught.items) == 8
    assert set(np.unique(cues.by_name["im2"]).tolist()) == {0, CAT, 255}


def test_an_image_without_any_cue_is_left_out_and_named(
    tmp_path: Path,
    source: Source,
    earlier: Path,
    saliency: Path,
    capsys: pytest.CaptureFixture[str],
):
    item = source.items[1]
    for tag in item.tags:
        path = earlier / "maps" / item.name / f"{source.classes[tag]}.png"
        write_heat(path, np.zeros((6, 6), np.float32))
    write_heat(saliency / f"{item.name}.png", np.ones((48, 48), np.float32))
    run = a_run(tmp_path)
    taught = make_cues(run, source, maker(earlier, saliency, source)).taught(run, source)
    said = messages(capsys)
    assert "1 images have no cue of the background: im1" in said
    assert "1 images have no cue at all and are left out: im1" in said
    assert [each.name for each in taught.items] == [
        each.name for each in source.items if each.name != "im1"
    ]


def test_no_cue_of_any_tag_is_a_sentence(
    tmp_path: Path, source: Source, earlier: Path, saliency: Path
):
    for path in (earlier / "maps").rglob("*.png"):
        write_heat(path, np.zeros((6, 6), np.float32))
    run = a_run(tmp_path)
    cues = make_cues(run, source, maker(earlier, saliency, source))
    with pytest.raises(TrainingError, match="None of the 10 tags has a cue"):
        cues.taught(run, source)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_no_cue_of_any_background_is_a_sentence_unless_none_was_wanted(
    tmp_path: Path, source: Source, earlier: Path, saliency: Path, level: float
):
    for path in saliency.glob("*.png"):
        write_heat(path, np.full((48, 48), level, np.float32))
    run, how = a_run(tmp_path), maker(earlier, saliency, source)
    cues = make_cues(run, source, how)
    with pytest.raises(TrainingError, match="None of the 8 images has a cue of the background"):
        cues.taught(run, source)
    none = make_cues(run, source, replace(how, background_part=0.0))
    assert len(none.taught(run, source).items) == 8


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, source: Source):
    with pytest.raises(TrainingError, match="is not a run's folder"):
        RunMaps(str(tmp_path / "nowhere"), source, (CAT,))


def test_samples_show_the_cues_of_their_view(
    tmp_path: Path, source: Source, earlier: Path, saliency: Path
):
    """As far as nothing is between two cells, what a map's own cutting out shows."""
    cues = make_cues(a_run(tmp_path), source, maker(earlier, saliency, source))
    how = Augmentation(48, crop="whole", flip=True)
    images = TaggedImages(source, [CAT, DOG], how)
    batch = collated([images[index, (0, 1, index)] for index in range(8)])
    assert {bool(view[4]) for view in batch.views} == {True, False}
    batches = CueBatches(cues, source, channels_of([CAT, DOG]).numpy())
    shown = batches.of(batch, GRID)
    assert shown.dtype == np.uint8
    for index, own in zip(batch.indices.tolist(), shown, strict=True):
        ids = cues.by_name[source.items[index].name]
        expected = np.select([ids == 0, ids == CAT, ids == DOG], [0, 1, 2], 255)
        assert (own == (expected[:, ::-1] if batch.views[index][4] else expected)).all()


@pytest.mark.parametrize("flip", [False, True])
def test_labels_are_cut_out_as_maps_are(flip: bool):
    labels = np.random.default_rng(0).integers(0, 2, (10, 10)).astype(np.uint8)
    large = np.kron(labels, np.ones((16, 16), np.uint8))
    view = View(0.1, 0.3, 0.5, 0.4, flip)
    shown = cut_labels(labels, view, (5, 4))
    heat = cut_out(large[None].astype(np.float32), view, (5, 4))[0]
    assert (shown == heat.round()).all()


def test_padding_has_no_cue():
    shown = cut_labels(np.zeros((4, 4), np.uint8), View(-0.5, 0.0, 2.0, 1.0, False), (8, 4))
    assert (shown[:2] == 255).all()
    assert (shown[2:6] == 0).all()
    assert (shown[6:] == 255).all()


def test_only_tags_grow_whatever_the_network_thinks_of_other_classes():
    cues = np.array([[3, 255, 255, 255, 0]], np.uint8)
    probabilities = np.zeros((4, 1, 5), np.float32)
    probabilities[3, 0, :2] = 0.9
    probabilities[1, 0, 2] = 0.95  # a class that is no tag
    probabilities[3, 0, 3] = 0.9
    probabilities[0, 0, 4] = 1
    own = grown(cues, probabilities, np.array([0, 0, 1]), 0.85, 0.99)
    assert own.tolist() == [[3, 3, 255, 255, 0]]
    assert own.dtype == np.uint8
    assert torch.from_numpy(own).long().max() == 255


def test_stale_cues_of_a_run_that_failed_are_not_taken_for_new_ones(
    tmp_path: Path, source: Source, earlier: Path, saliency: Path
):
    run = a_run(tmp_path)
    make_cues(run, source, maker(earlier, saliency, source))
    shutil.rmtree(earlier / "maps")
    other = earlier / "config.json"
    other.write_text(other.read_text().replace('"epochs": 3', '"epochs": 4'))
    for item in source.items:
        for tag in item.tags:
            heat = np.zeros((6, 6), np.float32)
            heat[0, 0] = 1
            write_heat(earlier / "maps" / item.name / f"{source.classes[tag]}.png", heat)
    cues = make_cues(run, source, maker(earlier, saliency, source))
    assert all((cues.by_name[each.name] >= CAT).sum() > 0 for each in source.items)
    assert all(cues.by_name[each.name][6:, 6:].min() == 255 for each in source.items)
