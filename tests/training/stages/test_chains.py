"""Which stages each method has, and what can be set of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import DataError, WeightsError
from training.cli import recipe_parser
from training.errors import TrainingError
from training.options import PRESETS, settle
from training.pipeline_options import Pipeline
from training.recipes import find_recipe
from training.run import Run
from training.stages.chains import METHODS
from training.stages.plan import Plan
from training.stages.stage import PREDICT
from training.stages.verdicts import CHANGED, DONE

from .conftest import carried_out

Make = Callable[..., Plan]

COMMANDS = {
    "seenet": ["seenet", "fuse", "segment", "predict"],
    "oaa": ["oaa", "fuse", "segment", "predict"],
    "oaa+": ["oaa", "oaaplus", "fuse", "segment", "predict"],
    "dcsp": ["dcsp", "predict"],
    "ecsnet": ["ecsnet", "affinity", "segment", "predict"],
    "sal": ["oaa", "dsrg", "scorer", "score", "sal", "predict"],
    "full": ["segment", "predict"],
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_stage_is_a_command_that_its_recipe_takes(plan: Make, method: str, preset: str):
    made = plan(method=method, preset=preset, backbone="slim", weights="none", device="cpu")
    assert [stage.command for stage in made.stages] == COMMANDS[method]
    folders = {stage.name: made.at / stage.name for stage in made.stages}
    for stage in made.stages:
        words = made.words(stage, folders)
        assert words[0] == stage.command
        if stage.command == PREDICT:
            continue
        given = recipe_parser(find_recipe(stage.command)).parse_args([*words[1:], "--out", "x"])
        assert given.device == "cpu"
        earlier = [str(folders[name]) for name in stage.on.values()]
        found = [getattr(given, name) for name in stage.on]
        # An option that takes several folders is given one.
        assert [each[0] if isinstance(each, list) else each for each in found] == earlier


def test_the_rules_are_the_papers_own(plan: Make):
    def labels(method: str) -> dict:
        stages = {stage.name: stage for stage in plan(method=method, preset="paper").stages}
        return stages["labels"].effective("paper")

    seenet, oaa = labels("seenet"), labels("oaa")
    assert (seenet["fusion"], seenet["weight"], seenet["crf"]) == ("seenet", 1.0, "none")
    assert (oaa["fusion"], oaa["crf"]) == ("oaa", "oaa")
    assert (oaa["keep_above"], oaa["conflict_above"], oaa["strong_above"]) == (0.3, 0.9, 0.8)
    assert labels("oaa+") == oaa
    walk = labels("ecsnet")
    assert (walk["alpha"], walk["beta"], walk["walk_steps"]) == (16, 8, 256)


def test_one_backbone_is_everyones_but_a_stage_may_have_its_own(plan: Make):
    stages = plan(method="oaa+", backbone="mobilenet_v2", set_=("segmenter.backbone=vgg16",)).stages
    found = {s.name: s.settled("scenes").backbone for s in stages if "backbone" in s.options}
    assert found == {
        "attention": "mobilenet_v2", "integral": "mobilenet_v2", "segmenter": "vgg16",
    }  # fmt: skip


def test_oaaplus_keeps_the_trunk_of_its_run_where_it_begins_with_that(plan: Make):
    for preset, weights in (("scenes", ""), ("paper", "none")):
        stages = plan(method="oaa+", preset=preset, weights="none").stages
        integral = next(stage for stage in stages if stage.name == "integral")
        assert integral.settled(preset).weights == weights


def test_the_test_list_is_val_where_there_is_no_test_and_all_where_there_is_neither(
    plan: Make, voc
):
    assert plan().test == "val"
    assert plan(test="train").test == "train"
    lists = voc / "ImageSets" / "Segmentation"
    (lists / "test.txt").write_text("im5\n")
    assert plan().test == "test"
    for name in ("test", "val"):
        (lists / f"{name}.txt").unlink()
    assert plan().test == "all"


def test_full_supervision_learns_the_true_masks_of_its_list(plan: Make):
    for split, strong in (("val", "val"), (None, "train")):
        (segmenter, _) = plan(method="full", split=split, test="train").stages
        assert segmenter.settled("scenes").strong == strong


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"set_": ("labels",)}, "--set takes STAGE.OPTION=VALUE, such as segmenter.epochs=10"),
        ({"set_": ("label.gamma=1",)}, "There is no stage 'label'; there are attention, labels"),
        ({"set_": ("labels.gama=1",)}, "The stage labels has no option 'gama'; it has saliency"),
        ({"set_": ("labels.from=x",)}, "The stage labels has no option 'from'"),
        ({"set_": ("labels.gamma=2",)}, "--gamma is 2.0; it must be from 0 to 1"),
        ({"set_": ("labels.gamma=much",)}, "--gamma is 'much'; it takes a number"),
        ({"set_": ("attention.flip=1",)}, "--flip is '1'; it can be yes or no"),
        ({"set_": ("segmenter.backbone=x",)}, "--backbone is 'x'; it can be vgg16"),
        ({"set_": ("predictions.crf=mine",)}, "--crf is 'mine'; it can be dcsp"),
        ({"method": "dcsp", "set_": ("joint.joint=no",)}, "cannot predict. Leave it out here"),
        ({"method": "dcsp", "strong": "val"}, "no stage of dcsp learns from true masks"),
        ({"method": "salt"}, "--method is 'salt'; it can be"),
        (
            {"method": "sal", "set_": ("segmenter.weights=none",)},
            "segmenter.weights is none, but this stage begins with a trained network",
        ),
    ],
)
def test_mistakes_are_sentences_before_anything_is_made(plan: Make, given: dict, sentence: str):
    with pytest.raises(TrainingError) as refused:
        plan(**given)
    assert sentence in str(refused.value)


def test_without_the_dense_crf_a_pipeline_says_so_before_it_trains(
    plan: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("backend.maps.crf.missing", lambda: "The dense CRF is not installed.")
    with pytest.raises(TrainingError, match=r"not installed. Or go without: --set labels.crf=none"):
        plan(method="oaa")
    without = ("labels.crf=none", "predictions.crf=none")
    assert len(plan(method="oaa", set_=without).stages) == 4
    with pytest.raises(TrainingError, match=r"--set labels\.seeds=thresholds"):
        plan(method="ecsnet", set_=("labels.seeds=crf", "predictions.crf=none"))


def test_an_unknown_list_is_a_sentence(plan: Make):
    with pytest.raises(DataError, match="trian"):
        plan(split="trian")


def test_sal_learns_the_masks_that_its_scores_are_of(plan: Make):
    stages = {stage.name: stage for stage in plan(method="sal", strong="val").stages}
    stands_on = {"from_": "labels", "scores": "scores", "begin_with": "labels"}
    assert dict(stages["segmenter"].on) == stands_on
    # The paper's steps are those of a training from ImageNet.
    paper = {stage.name: stage for stage in plan(method="sal", preset="paper").stages}
    assert "begin_with" not in paper["segmenter"].on
    assert dict(stages["scores"].on) == {"from_": "labels", "scorer": "scorer"}
    assert stages["segmenter"].settled("scenes").strong == "val"
    predictions = stages["predictions"].effective("scenes")
    assert (predictions["crf"], predictions["scales"]) == ("sal", [0.75, 1.0, 1.25])


def test_a_stage_that_begins_with_a_network_gets_no_other_initial_weights(
    plan: Make, tmp_path: Path
):
    given = tmp_path / "network.safetensors"
    given.write_bytes(b"a network")
    for preset, more in (
        ("scenes", ()),
        ("light", ()),
        ("paper", (f"segmenter.begin_with={given}",)),
    ):
        made = plan(method="sal", preset=preset, backbone="slim", weights="none", set_=more)
        folders = {stage.name: made.at / stage.name for stage in made.stages}
        words = {stage.name: made.words(stage, folders) for stage in made.stages}
        assert "--begin-with" in words["segmenter"]
        assert [name for name in words if "--weights" in words[name]] == ["attention", "labels"]
        trunk = {each.stage.name: each.made_of.get("trunk") for each in made.verdicts()}
        assert (trunk["labels"], trunk["segmenter"]) == ("random", "of the run")


def test_a_network_that_is_begun_with_counts_by_what_is_in_it(
    plan: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def states(named: Path | str) -> dict[str, str]:
        return {each.stage.name: each.state for each in made(named).verdicts()}

    def made(named: Path | str) -> Plan:
        how = {"method": "sal", "preset": "paper", "backbone": "slim", "weights": "none"}
        return plan(**how, set_=(f"segmenter.begin_with={named}",))

    run = tmp_path / "run"
    run.mkdir()
    (run / "weights.safetensors").write_bytes(b"a network")
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(b"a network")
    done = dict.fromkeys([each.stage.name for each in carried_out(made(run))], DONE)
    assert states(run) == states(copy) == done
    monkeypatch.chdir(tmp_path)
    assert states("copy.safetensors") == done
    # A stage is started elsewhere.
    segmenter = made("copy.safetensors").stages[-2]
    assert segmenter.given["begin_with"] == str(copy)
    (run / "weights.safetensors").write_bytes(b"another")
    changed = {"segmenter": CHANGED, "predictions": CHANGED}
    assert states(run) == done | changed
    assert "another network to begin with" in [each.why for each in made(run).verdicts()]
    with pytest.raises(WeightsError, match="There are no weights at"):
        made(tmp_path / "nothing").verdicts()


def test_proxy_labels_may_hold_more_than_the_tags(plan: Make):
    carried_out(plan(method="sal"))
    made = plan(method="sal", set_=("labels.limit_to_tags=no",))
    found = {each.stage.name: each for each in made.verdicts()}
    assert (found["attention"].state, found["labels"].state) == (DONE, CHANGED)
    assert found["labels"].why == "limit_to_tags yes → no"
    folders = {stage.name: made.at / stage.name for stage in made.stages}
    assert "--no-limit-to-tags" in made.words(found["labels"].stage, folders)


def test_another_tau_makes_the_segmenter_again_and_not_what_it_stands_on(plan: Make):
    carried_out(plan(method="sal"))
    found = {
        verdict.stage.name: verdict.state
        for verdict in plan(method="sal", set_=("segmenter.tau=0.7",)).verdicts()
    }
    assert found == {
        "attention": DONE, "labels": DONE, "scorer": DONE, "scores": DONE,
        "segmenter": CHANGED, "predictions": CHANGED,
    }  # fmt: skip


def test_another_decision_makes_the_segmenter_again(voc: Path, tmp_path: Path):
    manifest = tmp_path / "snapshot" / "manifest.json"
    manifest.parent.mkdir()
    items = [
        {
            "image": f"im{number}", "file": f"../voc/JPEGImages/im{number}.jpg", "tags": [8],
            "verdict": "accept" if number < 2 else "undecided",
            "mask": f"../voc/SegmentationClass/im{number}.png" if number < 2 else None,
            "candidate": {
                "mask": f"../voc/SegmentationClass/im{number}.png", "scores": {"SF": 0.5},
            },
        }
        for number in range(4)
    ]  # fmt: skip
    told = {"format": "tagmask-snapshot/1", "classes": {"8": "cat"}, "items": items}

    def digests(split: str | None) -> dict[str, str]:
        manifest.write_text(json.dumps(told))
        run = Run("pipeline", tmp_path / "out", data=manifest, split=split, preset="scenes")
        options = {"method": "sal", "weights": "none"}
        found = Plan(settle(Pipeline, "scenes", options), run).verdicts()
        return {verdict.stage.name: verdict.digest for verdict in found}

    before = digests("all")
    assert digests("all") == before
    items[3]["verdict"] = "reject"
    after = digests("all")
    assert {name for name in before if before[name] != after[name]} == {
        "segmenter", "predictions",
    }  # fmt: skip
    items[3]["candidate"]["scores"] = {"SF": 0.9}
    assert digests("all")["segmenter"] != after["segmenter"]
