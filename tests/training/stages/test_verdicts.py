"""Which stages have to be made again, and what is said of it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.stages import code, ingredients
from training.stages.plan import Plan, told
from training.stages.record import Record, read_record

from .conftest import carried_out

Make = Callable[..., Plan]
ALL = ["attention", "labels", "segmenter", "predictions"]


def states(plan: Plan) -> dict[str, str]:
    return {each.stage.name: each.state for each in plan.verdicts()}


def why(plan: Plan, name: str) -> str:
    return next(each.why for each in plan.verdicts() if each.stage.name == name)


def test_nothing_is_made_at_first_and_everything_is_done_afterwards(plan: Make):
    assert states(plan()) == dict.fromkeys(ALL, "new")
    carried_out(plan())
    assert states(plan()) == dict.fromkeys(ALL, "done")


@pytest.mark.parametrize(
    ("given", "done", "said"),
    [
        ({"set_": ("labels.keep-above=0.2",)}, ["attention"], "keep_above 0.3 → 0.2"),
        ({"set_": ("segmenter.epochs=7",)}, ["attention", "labels"], "epochs 12 → 7"),
        ({"set_": ("predictions.flip=no",)}, ALL[:3], "flip yes → no"),
        ({"seed": 3}, [], "seed 0 → 3"),
        ({"split": "val", "test": "train"}, [], "the list train → val; 4 → 2 images"),
        ({"weights": "none"}, [], "other initial weights"),
        ({"test": "train"}, ALL[:3], "the list val → train; 2 → 4 images"),
        ({"strong": "train"}, ["attention", "labels"], "other true masks"),
    ],
)
def test_a_change_makes_again_what_it_touches_and_what_follows(
    plan: Make, given: dict, done: list[str], said: str
):
    carried_out(plan())
    now = plan(**given)
    assert [name for name, state in states(now).items() if state == "done"] == done
    first = next(name for name in ALL if name not in done)
    assert why(now, first) == said
    later = ALL[ALL.index(first) + 1 :]
    for earlier, name in zip([first, *later], later, strict=False):
        assert f"the stage {earlier}" in why(now, name)


def test_what_only_the_machine_decides_changes_nothing(plan: Make):
    carried_out(plan())
    given = {"device": "cpu", "precision": "32", "cache_mb": 7, "checkpoint_every": 1.0}
    more = ("attention.watch_every=-1", "labels.threads=1")
    assert states(plan(**given, set_=more)) == dict.fromkeys(ALL, "done")


def test_an_image_of_other_pixels_is_another_image(plan: Make, voc: Path):
    carried_out(plan())
    path = voc / "JPEGImages" / "im1.jpg"
    cv2.imwrite(str(path), np.zeros((32, 40, 3), np.uint8))
    now = plan()
    assert states(now)["attention"] == "changed"
    assert why(now, "attention") == "other images or tags"


def test_a_tag_more_is_other_data_but_a_file_that_was_touched_is_not(plan: Make, voc: Path):
    carried_out(plan())
    os.utime(voc / "JPEGImages" / "im1.jpg", (1, 1))
    assert states(plan())["attention"] == "done"
    rows = (voc / "tags.csv").read_text().replace("im1,cat", "im1,cat dog")
    (voc / "tags.csv").write_text(rows)
    assert states(plan())["attention"] == "changed"


def test_true_masks_count_only_where_they_teach(plan: Make, voc: Path):
    carried_out(plan())
    (voc / "SegmentationClass" / "im0.png").unlink()
    assert states(plan()) == dict.fromkeys(ALL, "done")
    one, other = plan(strong="val").verdicts(), plan(strong="val")
    shutil.copy(voc / "SegmentationClass" / "im4.png", voc / "SegmentationClass" / "im5.png")
    (voc / "SegmentationClass" / "im4.png").write_bytes(b"another")
    assert other.verdicts()[2].digest != one[2].digest


def test_maps_of_a_saliency_folder_count_by_what_is_in_them(plan: Make, tmp_path: Path):
    folder = tmp_path / "salient"
    folder.mkdir()
    for number in range(4):
        cv2.imwrite(str(folder / f"im{number}.png"), np.full((32, 40), 9, np.uint8))
    carried_out(plan(saliency=f"folder:{folder}"))
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    assert states(plan(saliency=f"folder:{moved}")) == dict.fromkeys(ALL, "done")
    cv2.imwrite(str(moved / "im2.png"), np.full((32, 40), 8, np.uint8))
    assert why(plan(saliency=f"folder:{moved}"), "labels") == "other saliency maps"


def test_a_file_that_is_gone_or_damaged_is_noticed_in_its_stage_alone(plan: Make):
    found = carried_out(plan())
    (found[1].folder / "labels" / "im0.png").unlink()
    assert states(plan()) == dict.fromkeys(ALL, "done") | {"labels": "damaged"}
    assert why(plan(), "labels") == "1 of its 1 files are gone or damaged: labels/im0.png"
    (found[0].folder / "weights.safetensors").write_bytes(b"wEIGHTS")
    assert states(plan())["attention"] == "damaged"


def test_files_that_were_copied_are_as_good_as_before(plan: Make):
    found = carried_out(plan())
    for verdict in found:
        for path in verdict.folder.rglob("*.*"):
            os.utime(path, (5, 5))
    assert states(plan()) == dict.fromkeys(ALL, "done")


def test_a_stage_without_its_last_word_is_unfinished(plan: Make):
    found = carried_out(plan())
    record = read_record(found[2].folder)
    Record(record.name, record.digest, record.made_of, started=record.started).write(
        found[2].folder
    )
    assert states(plan()) == dict.fromkeys(ALL, "done") | {"segmenter": "unfinished"}


def test_other_code_makes_a_stage_again_unless_a_person_keeps_it(
    plan: Make, monkeypatch: pytest.MonkeyPatch
):
    carried_out(plan())
    real = code.code_of

    def other(module: str) -> dict[str, str]:
        found = real(module)
        return found | {"training/fusing.py": "0"} if "training/fusing.py" in found else found

    monkeypatch.setattr(ingredients, "code_of", other)
    assert states(plan()) == {"attention": "done"} | dict.fromkeys(ALL[1:], "changed")
    assert why(plan(), "labels") == "code of training/fusing.py"
    kept = plan(any_code=True)
    assert states(kept) == dict.fromkeys(ALL, "done")
    assert why(kept, "labels") == "made with other code of training/fusing.py; --any-code keeps it"


def test_another_method_takes_over_the_stages_that_are_the_same(plan: Make):
    carried_out(plan(method="oaa"))
    now = states(plan(method="oaa+"))
    assert now == {
        "attention": "done", "integral": "new", "labels": "changed", "segmenter": "changed",
        "predictions": "changed",
    }  # fmt: skip


def test_a_reason_is_told_against_the_last_pipeline_not_some_earlier_one(plan: Make):
    carried_out(plan(set_=("labels.gamma=0.1",)))
    carried_out(plan(set_=("labels.gamma=0.2",)))
    assert why(plan(set_=("labels.gamma=0.3",)), "labels") == "gamma 0.2 → 0.3"
    carried_out(plan(set_=("labels.gamma=0.1",)))
    assert why(plan(set_=("labels.gamma=0.3",)), "labels") == "gamma 0.1 → 0.3"


def test_a_reason_is_told_against_the_stage_that_is_most_like_it(plan: Make):
    """Of stages that other pipelines have made, the one of the same rule says more than a newer."""
    carried_out(plan(set_=("labels.gamma=0.1",)))
    carried_out(plan(set_=("labels.keep_above=0.9", "labels.fusion=dcsp")))
    found = plan(set_=("labels.gamma=0.3",))
    (found.run.folder / "pipeline.json").unlink()
    assert why(found, "labels") == "gamma 0.1 → 0.3"


def test_what_is_told_has_a_line_a_stage_and_the_command_of_what_would_run(plan: Make):
    carried_out(plan())
    now = plan(set_=("labels.gamma=0.3",))
    found = now.verdicts()
    text = told(now, found, now.left_over(found)).splitlines()
    assert text[0] == "keep  attention    done: nothing changed"
    assert text[1] == "make  labels       changed: gamma 0.4 → 0.3"
    assert f"--from {found[0].folder} " in text[2]
    assert "--gamma 0.3" in text[2]
    assert [line.split("/")[-1].split("-")[0] for line in text if line.startswith("remove")] == [
        "labels", "predictions", "segmenter",
    ]  # fmt: skip
