"""What leaving a part of a method out, or turning it otherwise, does to its training."""

import json
from pathlib import Path

import pytest
import torch

from backend.labels import read_heat
from backend.weights import load
from training.cli import main

from .conftest import TINY, events_of, train

# Layers this narrow score next to nothing, so that every tag costs ln 2 at the first step.
FIRST = ("--steps", "1", "--head-start", "gauss", "--watch-every", "-1")
LN2 = 0.6931


def losses(folder: Path) -> list[dict[str, float]]:
    return [e["loss"] for e in events_of(folder) if e["kind"] == "progress" and "loss" in e]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load(folder)[0].state_dict()


@pytest.mark.parametrize(("erasing", "parts"), [("seenet", "abc"), ("zero", "abc"), ("acol", "ab")])
def test_seenets_branches_cost_the_same_each(
    scenes: Path, tmp_path: Path, erasing: str, parts: str
):
    """Loss A + B + C (3.3), setting 1 without C; C against no class at all costs ln 2 as well."""
    assert train("seenet", scenes, tmp_path / "run", "--erasing", erasing, *FIRST) == 0
    (first,) = losses(tmp_path / "run")
    assert set(first) == {"total", *parts}
    for part in parts:
        assert first[part] == pytest.approx(LN2, abs=0.03)
    assert first["total"] == pytest.approx(sum(first[part] for part in parts), rel=1e-5)
    assert load(tmp_path / "run")[0].settings["erasing"] == erasing


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        ([], {"cam": 0.5, "refined": 0.5, "cam_erased": 0.5, "refined_erased": 0.5}),
        (["--no-refine", "--final", "cam"], {"cam": 0.5, "cam_erased": 0.5}),
        (["--no-erasing"], {"cam": 1, "refined": 1}),
        (["--no-erasing", "--no-refine", "--final", "cam"], {"cam": 1}),
    ],
)
def test_ecs_nets_maps_share_the_classification_loss_by_halves(
    scenes: Path, tmp_path: Path, flags: list[str], parts: dict[str, float]
):
    """Eq. 5; the plain CAM of Table 4's baseline bears it alone."""
    flags = [*flags, "--no-supervision", *FIRST]
    assert train("ecsnet", scenes, tmp_path / "run", *flags) == 0
    (first,) = losses(tmp_path / "run")
    assert set(first) == {"total", *parts}
    for part, share in parts.items():
        assert first[part] == pytest.approx(share * LN2, abs=0.1)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--no-erasing"], "--no-erasing leaves no second pass to be taught by"),
        (["--no-refine"], "--no-refine leaves no refined map: add --final cam."),
        (
            ["--no-refine", "--final", "cam", "--label-source", "refined"],
            "--no-refine leaves no refined map: add --label-source cam.",
        ),
    ],
)
def test_parts_that_need_one_another_are_not_taken_apart(
    scenes: Path, tmp_path: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert train("ecsnet", scenes, tmp_path / "run", *flags) == 2
    assert said in capsys.readouterr().err


def test_an_empty_set_of_reliable_labels_teaches_nothing(scenes: Path, tmp_path: Path):
    """No score reaches 1, since Eq. 1 divides by a little more than the range."""
    how = ("--steps", "3", "--watch-every", "-1", "--patience", "0")
    assert train("ecsnet", scenes, tmp_path / "empty", "--theta", "1", *how) == 0
    assert train("ecsnet", scenes, tmp_path / "without", "--no-supervision", *how) == 0
    assert train("ecsnet", scenes, tmp_path / "taught", "--theta", "0.6", *how) == 0
    assert all(each["segmentation"] == 0 for each in losses(tmp_path / "empty"))
    assert losses(tmp_path / "taught")[0]["segmentation"] > 0
    empty, without, taught = (weights(tmp_path / n) for n in ("empty", "without", "taught"))
    assert all(torch.equal(empty[name], without[name]) for name in without)
    assert not all(torch.equal(taught[name], without[name]) for name in without)


def test_each_part_of_ecs_net_changes_what_is_learnt(scenes: Path, tmp_path: Path):
    """Tables 1 to 4: no option is without an effect."""
    options = {
        "plain": [],
        "patience": ["--patience", "9"],
        "beta": ["--beta", "0.7"],
        "delta": ["--delta", "0.3"],
        "theta": ["--theta", "0.6"],
        "sigma": ["--sigma", "0.2"],
        "overlay": ["--overlay", ""],
        "source": ["--label-source", "refined"],
    }
    learnt = {}
    for name, flags in options.items():
        how = ["--steps", "2", "--watch-every", "-1", "--patience", "0", *flags]
        assert train("ecsnet", scenes, tmp_path / name, *how) == 0
        learnt[name] = weights(tmp_path / name)["classifier.weight"].flatten().tolist()
    assert len({tuple(values) for values in learnt.values()}) == len(options)


def test_a_mean_of_passes_is_nowhere_above_their_maximum(
    scenes: Path, oaa_run: Path, tmp_path: Path
):
    """The same seed trains the same network, so that both fuse the same passes."""
    flags = ["--steps", "9", "--warmup-passes", "1", "--gate", "none", "--fusion", "mean"]
    assert train("oaa", scenes, tmp_path / "mean", *flags) == 0
    largest, mean = weights(oaa_run), weights(tmp_path / "mean")
    assert all(torch.equal(largest[name], mean[name]) for name in mean)
    record = json.loads((oaa_run / "accumulated.json").read_text())
    assert record == json.loads((tmp_path / "mean" / "accumulated.json").read_text())
    lower = 0
    for path in (oaa_run / "maps").rglob("*.png"):
        of_max, of_mean = (
            read_heat(run / "maps" / path.relative_to(oaa_run / "maps"))
            for run in (oaa_run, tmp_path / "mean")
        )
        assert (of_mean <= of_max + 1 / 255).all()
        lower += (of_mean < of_max - 0.02).any()
    assert lower > 5


def test_what_is_gathered_changes_nothing_of_what_is_learnt(
    scenes: Path, oaa_run: Path, tmp_path: Path
):
    """OAA rides along: its network is classify's to the last digit, and so are its cams."""
    assert train("classify", scenes, tmp_path / "plain", "--steps", "9") == 0
    plain, accumulating = weights(tmp_path / "plain"), weights(oaa_run)
    assert all(torch.equal(plain[name], accumulating[name]) for name in plain)
    for path in (oaa_run / "cams").rglob("*.png"):
        twin = tmp_path / "plain" / "maps" / path.relative_to(oaa_run / "cams")
        assert path.read_bytes() == twin.read_bytes()


@pytest.mark.parametrize("flags", [["--loss", "hybrid"], ["--loss", "mce"]])
def test_oaa_plus_learns_from_what_was_gathered(
    scenes: Path, oaa_run: Path, tmp_path: Path, flags: list[str]
):
    how = ["--from", str(oaa_run), "--epochs", "4", "--watch-every", "-1", *flags]
    assert train("oaaplus", scenes, tmp_path / "run", *how) == 0
    epochs = [e["loss"] for e in events_of(tmp_path / "run") if e["kind"] == "epoch"]
    assert epochs[-1] < epochs[0]


def test_oaa_plus_can_begin_where_oaa_ended(scenes: Path, oaa_run: Path, tmp_path: Path):
    how = ["--from", str(oaa_run), "--start", "run", "--steps", "1", "--learning-rate", "0"]
    without_weights = [flag for flag in TINY if flag not in ("--weights", "none")]
    out = ["--data", str(scenes), "--out", str(tmp_path / "run")]
    assert main(["oaaplus", *out, *without_weights, *how]) == 0
    told = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert told["trunk"]["file"] == "weights.safetensors"
    before, after = weights(oaa_run), weights(tmp_path / "run")
    learnt = [name for name in before if name.startswith("backbone.") and "weight" in name]
    assert learnt
    assert all(torch.equal(before[name], after[name]) for name in learnt)
    assert not torch.equal(before["head.0.weight"], after["head.0.weight"])


def test_the_erased_images_labels_wait_for_patience(scenes: Path, tmp_path: Path):
    """Three steps are a pass over the ten images: the fourth is the first that is taught."""
    flags = ["--steps", "4", "--patience", "1", "--theta", "0.6", "--watch-every", "-1"]
    assert train("ecsnet", scenes, tmp_path / "run", *flags) == 0
    epochs = [event for event in events_of(tmp_path / "run") if event["kind"] == "epoch"]
    assert [("segmentation" in event) for event in epochs] == [False, True]


def test_part_of_the_images_teaches_and_all_get_maps(scenes: Path, tmp_path: Path):
    """Table 3: what was not learnt from has the final network's maps, and no passes."""
    flags = ["--part", "0.5", "--steps", "4", "--watch-every", "-1"]
    assert train("oaa", scenes, tmp_path / "run", *flags) == 0
    said = [e["text"] for e in events_of(tmp_path / "run") if e["kind"] == "message"]
    assert "5 of 10 images are learnt from (--part 0.5)." in said
    record = json.loads((tmp_path / "run" / "accumulated.json").read_text())
    assert len(record) == 5
    images = {path.name for path in (tmp_path / "run" / "maps").iterdir()}
    assert len(images) == 10
    for image in images - set(record):
        for path in (tmp_path / "run" / "maps" / image).iterdir():
            own = tmp_path / "run" / "cams" / image / path.name
            assert path.read_bytes() == own.read_bytes()
