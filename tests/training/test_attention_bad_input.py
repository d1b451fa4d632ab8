"""Images, tags, runs and numbers that a method cannot work with: a sentence, and nothing lost."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.weights import load
from training import checkpoints
from training.cli import main

from .conftest import events_of, paint_voc, train

METHODS = ("classify", "oaa", "oaaplus", "seenet", "ecsnet")
QUICK = ("--watch-every", "-1")


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that a failed run says; a traceback fails the test."""
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    (line,) = (line for line in printed.splitlines() if line.startswith("tagmask: "))
    return line


def messages(folder: Path) -> list[str]:
    return [event["text"] for event in events_of(folder) if event["kind"] == "message"]


def from_run(name: str, run: Path) -> list[str]:
    return ["--from", str(run)] if name == "oaaplus" else []


@pytest.mark.parametrize("name", METHODS)
def test_images_without_tags_are_left_out_and_counted(
    scenes: Path, oaa_run: Path, tmp_path: Path, name: str
):
    data = shutil.copytree(scenes, tmp_path / "data")
    rows = (data / "tags.csv").read_text().splitlines()
    listed = (data / "ImageSets" / "Segmentation" / "train.txt").read_text().split()
    lost = listed[:2]
    kept = [row.partition(",")[0] + "," if row.partition(",")[0] in lost else row for row in rows]
    (data / "tags.csv").write_text("\n".join(kept) + "\n")
    flags = ["--steps", "2", *QUICK, *from_run(name, oaa_run)]
    assert train(name, data, tmp_path / "run", *flags) == 0
    assert "2 images without tags are left out." in messages(tmp_path / "run")
    images = {path.name for path in (tmp_path / "run" / "maps").iterdir()}
    assert images == set(listed) - set(lost)


@pytest.mark.parametrize("name", METHODS)
def test_data_without_any_tag_is_a_sentence(
    scenes: Path, oaa_run: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(scenes / "JPEGImages", tmp_path / "plain")
    assert train(name, tmp_path / "plain", tmp_path / "run", *from_run(name, oaa_run)) == 2
    assert "None of the 12 images" in said(capsys)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["oaa", "seenet", "ecsnet"])
def test_a_class_that_no_image_has_is_left_out_and_named(tmp_path: Path, name: str):
    data = paint_voc(tmp_path / "data")
    shutil.rmtree(data / "SegmentationClass")
    (data / "classes.txt").write_text("cat\nunicorn\ndog\n")
    assert train(name, data, tmp_path / "run", "--steps", "1", *QUICK) == 0
    assert any("No image has the tag unicorn" in text for text in messages(tmp_path / "run"))
    assert load(tmp_path / "run")[1].class_ids == (1, 3)
    assert not list((tmp_path / "run" / "maps").rglob("unicorn.png"))


@pytest.mark.parametrize("name", METHODS)
def test_a_loss_that_leaves_the_numbers_names_its_step_and_keeps_a_good_checkpoint(
    scenes: Path, oaa_run: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
):
    flags = ["--learning-rate", "1e30", "--checkpoint-every", "0", *QUICK]
    run = tmp_path / "run"
    assert train(name, scenes, run, *flags, *from_run(name, oaa_run)) == 2
    sentence = said(capsys)
    assert "The loss became nan at step 2 of " in sentence
    assert f"{run / 'checkpoint-00000001.pt'} is from before" in sentence
    assert events_of(run)[-1]["kind_of"] == "Diverged"
    kept = torch.load(checkpoints.newest(run), weights_only=True)
    assert kept["position"]["step"] == 1
    assert all(bool(each.isfinite().all()) for each in kept["kept"]["network"].values())
    if name == "oaa":
        assert not kept["kept"]["accumulated"]["maps"].any()


@pytest.mark.parametrize("name", METHODS)
def test_a_network_that_its_last_step_broke_gives_no_maps_but_a_sentence_with_the_step(
    scenes: Path, oaa_run: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
):
    flags = ["--learning-rate", "1e30", "--steps", "1", *QUICK]
    assert train(name, scenes, tmp_path / "run", *flags, *from_run(name, oaa_run)) == 2
    sentence = said(capsys)
    assert "maps are no longer numbers" in sentence
    assert sentence.endswith("The last step was step 1 of 1.")
    assert events_of(tmp_path / "run")[-1]["error"] in sentence
    assert not (tmp_path / "run" / "weights.safetensors").exists()


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of classify over cats and dogs that got as far as its second step."""
    folder = tmp_path_factory.mktemp("interrupted")
    paint_voc(folder / "data")
    assert train("classify", folder / "data", folder / "run", "--steps", "2", *QUICK) == 0
    shutil.rmtree(folder / "run" / "maps")
    (folder / "run" / "events.jsonl").unlink()
    return folder


def resumed_as(interrupted: Path, tmp_path: Path, **config: object) -> list[str]:
    """The arguments that go on with a copy of it whose configuration says something else."""
    run = shutil.copytree(interrupted / "run", tmp_path / "run")
    about = json.loads((run / "config.json").read_text())
    own = {name: config.pop(name) for name in list(config) if name in about}
    about = {**about, **own, "settings": {**about["settings"], "steps": 3, **config}}
    (run / "config.json").write_text(json.dumps(about))
    return [about["recipe"], "--out", str(run), "--resume"]


def test_an_interrupted_run_goes_on(interrupted: Path, tmp_path: Path):
    assert main(resumed_as(interrupted, tmp_path)) == 0
    assert any(text.startswith("Resumed at step 2") for text in messages(tmp_path / "run"))


@pytest.mark.parametrize("recipe", ["oaa", "oaaplus"])
def test_a_checkpoint_of_another_recipe_is_refused(
    interrupted: Path, tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str]
):
    """Even where the network is the same: classify's, OAA's and OAA+'s are."""
    more: dict[str, Any] = {"warmup_passes": 0} if recipe == "oaa" else {}
    if recipe == "oaaplus":
        more = {"from_": str(tmp_path / "oaa")}
        assert train("oaa", interrupted / "data", tmp_path / "oaa", "--steps", "1", *QUICK) == 0
        capsys.readouterr()
    assert main(resumed_as(interrupted, tmp_path, recipe=recipe, **more)) == 2
    assert f"pt is of the recipe classify, but this run is of {recipe}. Remove it" in said(capsys)


def test_a_checkpoint_of_another_trunk_is_refused(
    interrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(resumed_as(interrupted, tmp_path, backbone="squeezenet1_1")) == 2
    assert "pt is of the backbone slim, but this run is of squeezenet1_1." in said(capsys)


def test_a_checkpoint_of_other_classes_is_refused(
    interrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """As many classes, so that every tensor fits, and yet each would mean another."""
    data = shutil.copytree(interrupted / "data", tmp_path / "data")
    tags = (data / "tags.csv").read_text().replace("dog", "sheep")
    (data / "tags.csv").write_text(tags)
    assert main(resumed_as(interrupted, tmp_path, data=str(data))) == 2
    assert "pt is of the classes cat, dog, but this run is of cat, sheep." in said(capsys)


def test_a_checkpoint_whose_images_have_other_tags_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The classes are the same, but the accumulated maps would be of another one."""
    data = paint_voc(tmp_path / "data")
    assert train("oaa", data, tmp_path / "done", "--steps", "2", *QUICK) == 0
    (tmp_path / "done" / "events.jsonl").unlink()
    shutil.copytree(tmp_path / "done", tmp_path / "before" / "run")
    tags = (data / "tags.csv").read_text().replace("im0,cat", "im0,dog")
    (data / "tags.csv").write_text(tags)
    capsys.readouterr()
    assert main(resumed_as(tmp_path / "before", tmp_path)) == 2
    assert "its accumulated maps are of other tags" in said(capsys)


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        (None, "--from is missing: name the folder of a run of the recipe oaa"),
        ("nowhere", "nowhere is not a run's folder"),
        ("data", "data is not a run's folder"),
        ("emptied", "has no map of "),
        ("others", "is a run of 'classify'; oaaplus learns from the maps of a run of the recipe"),
    ],
)
def test_a_run_that_oaa_plus_cannot_learn_from_is_a_sentence(
    scenes: Path,
    oaa_run: Path,
    trained: Path,
    tmp_path: Path,
    where: str | None,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
):
    shutil.copytree(scenes, tmp_path / "data")
    shutil.copytree(oaa_run, tmp_path / "emptied")
    shutil.rmtree(tmp_path / "emptied" / "maps")
    shutil.copytree(trained, tmp_path / "others")
    capsys.readouterr()
    flags = [] if where is None else ["--from", str(tmp_path / where)]
    assert train("oaaplus", scenes, tmp_path / "run", *flags) == 2
    assert sentence in said(capsys)


def test_a_folder_that_is_no_run_cannot_lend_its_trunk(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = ["--data", str(scenes), "--out", str(tmp_path / "run"), "--preset", "scenes"]
    assert main(["oaaplus", *out, "--start", "run", "--from", str(tmp_path / "nowhere")]) == 2
    assert f"{tmp_path / 'nowhere'} is not a run's folder" in said(capsys)


def test_thresholds_in_the_wrong_order_are_a_sentence(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert train("seenet", scenes, tmp_path / "run", "--low", "0.8") == 2
    assert "--low is 0.8 and --high 0.7; the low threshold must not be above" in said(capsys)
