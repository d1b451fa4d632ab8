"""Which mask stands for each image and what it weighs: runs, scores, snapshots and policies."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.errors import DataError
from backend.labels import read_labels, write_labels
from training.cli import main
from training.errors import TrainingError
from training.options import settle
from training.recipes.sal import Sal
from training.run import Run, write_config
from training.selection import Selection, default_tau, select
from training.selection_scores import Scored, read_scores

SCORES = {"im0": 0.9, "im1": 0.55, "im2": 0.5, "im3": 0.5, "im4": 0.2, "im5": 0.0}
DECIDED = ("accept", "fix", "reject", "undecided", "undecided", "undecided", None, None)


def proxies(data: Path, out: Path, images: int = 7) -> Path:
    """A run's labels of the first images, a class everywhere, and scores of the first six."""
    for number in range(images):
        write_labels(out / "labels" / f"im{number}.png", np.full((48, 48), 8, np.uint8))
    lines = [{"image": name, "method": "dsrg", "SC": 1 - s, "SF": s} for name, s in SCORES.items()]
    (out / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out


def snapshot_of(data: Path, out: Path, *, candidates: bool = True) -> Path:
    """A manifest over the eight images with the decisions above; masks accepted are the true ones,
    candidates a class everywhere, scored as above. im6 has no candidate, im7 no tag either.
    """
    out.mkdir(parents=True)
    offered = out / "offered.png"
    write_labels(offered, np.full((48, 48), 12, np.uint8))

    def file(path: Path) -> dict[str, str]:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return {"path": os.path.relpath(path, out), "digest": digest}

    items = []
    for number, verdict in enumerate(DECIDED):
        name = f"im{number}"
        image = file(data / "JPEGImages" / f"{name}.jpg")
        mask = file(data / "SegmentationClass" / f"{name}.png")
        has_mask = verdict in ("accept", "fix")
        told: dict[str, Any] = {
            "image": name, "file": image["path"], "sha256": image["digest"],
            "tags": [] if number == 7 else [8], "truth": None,
            "verdict": verdict if candidates or has_mask else None,
            "mask": mask["path"] if has_mask else None,
            "mask_sha256": mask["digest"] if has_mask else None,
        }  # fmt: skip
        if candidates and number < 6:
            proposed = file(offered)
            told["candidate"] = {
                "mask": proposed["path"], "mask_sha256": proposed["digest"], "method": "dsrg",
                "scores": {"SF": SCORES[name]},
            }  # fmt: skip
        items.append(told)
    told = {"format": "tagmask-snapshot/1", "digest": "ab" * 32, "name": "s",
            "classes": {"8": "cat", "12": "dog"}, "items": items}  # fmt: skip
    (out / "manifest.json").write_text(json.dumps(told))
    return out / "manifest.json"


def chosen(data: Path, **given: object) -> Selection:
    return select(settle(Sal, "scenes", given), Run("sal", data.parent / "unused", data=data))


def rules(selection: Selection) -> list[str]:
    return list(selection.rules.values())


def test_a_run_is_judged_by_its_own_scores_and_ties_with_tau_are_kept(
    tiny_voc: Path, tmp_path: Path
):
    run = proxies(tiny_voc, tmp_path / "run")
    found = chosen(tiny_voc, from_=str(run))
    assert found.tau == 0.55
    assert rules(found) == ["above"] * 2 + ["below"] * 4 + ["unscored", "bare"]
    assert [found.weight(f"im{number}") for number in range(8)] == [1, 1, 0, 0, 0, 0, 0, 0]
    assert found.source.items[0].mask == run / "labels" / "im0.png"
    assert chosen(tiny_voc, from_=str(run), tau=0.0).weight("im5") == 1
    by_sc = chosen(tiny_voc, from_=str(run), by="SC", tau=0.8)
    assert [name for name, rule in by_sc.rules.items() if rule == "above"] == ["im4", "im5"]


@pytest.mark.parametrize(
    ("keep", "tau", "kept"), [(1, 0.9, 1), (3, 0.5, 4), (4, 0.5, 4), (9, 0, 6)]
)
def test_tau_can_be_chosen_by_a_number_of_masks(
    tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    keep: int, tau: float, kept: int,
):  # fmt: skip
    found = chosen(tiny_voc, from_=str(proxies(tiny_voc, tmp_path / "run")), keep=keep)
    assert (found.tau, rules(found).count("above")) == (tau, kept)
    said = capsys.readouterr().err
    assert ("4 masks are kept, not 3 (--keep): 2 have the same SF, 0.5." in said) == (keep == 3)
    assert ("Only 6 masks have a score" in said) == (keep == 9)


def test_scores_of_another_folder_go_before_those_of_the_run(tiny_voc: Path, tmp_path: Path):
    run = proxies(tiny_voc, tmp_path / "run")
    told = [{"image": "im5", "SF": 1}, {"image": "im0", "SF": 0.1}]
    text = "\n".join(map(json.dumps, told)) + "\n"
    (tmp_path / "scored").mkdir()
    (tmp_path / "scored" / "scores.jsonl").write_text(text)
    for named in ("scored", "scored/scores.jsonl"):
        found = chosen(tiny_voc, from_=str(run), scores=str(tmp_path / named))
        assert [name for name, rule in found.rules.items() if rule == "above"] == ["im5"]
        assert rules(found).count("unscored") == 5
    with pytest.raises(TrainingError, match="There are no scores at nowhere"):
        chosen(tiny_voc, from_=str(run), scores="nowhere")


def test_lines_that_say_nothing_are_counted_and_the_last_of_two_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "scores.jsonl"
    path.write_text(
        '{"image": "a", "SF": 0.1}\n{"image": "a", "SF": 0.2}\n{"image": "b", "SC": 1}\n'
        '{"image": "c", "SF": NaN}\n{"image": 7, "SF": 1}\n[1]\n{"image": "e", "SF": 7.5}\n'
        '{"image": "f", "SF": 1, "mask": "ab"}\n{"image": "d", "SF": 0.'
    )
    found = read_scores(path, "SF", Run("sal", tmp_path))
    assert found == {"a": Scored(0.2), "f": Scored(1.0, "ab")}
    said = capsys.readouterr().err
    assert "5 lines of" in said
    assert "about an image the last counts: a." in said


def test_the_papers_thresholds_are_those_of_table_iv():
    found = [default_tau(by, trunk) for by in ("SF", "SC") for trunk in ("vgg16", "resnet101")]
    assert found == [0.55, 0.85, 0.55, 0.80]


COUNTS = {
    "curated": ["accepted", "fixed", "rejected", "below", "below", "below", "bare", "bare"],
    "accepted-only": ["accepted", "fixed", "rejected", *["undecided"] * 3, "bare", "bare"],
    "scores-only": ["above", "above", "below", "below", "below", "below", "bare", "bare"],
}


@pytest.mark.parametrize("policy", COUNTS)
def test_a_policy_takes_what_it_says_of_a_snapshot(tiny_voc: Path, tmp_path: Path, policy: str):
    manifest = snapshot_of(tiny_voc, tmp_path / "snapshot")
    found = chosen(manifest, policy=policy)
    assert rules(found) == COUNTS[policy]
    masks = [item.mask and read_labels(item.mask) for item in found.source.items]
    offered = np.full((48, 48), 12)
    for number, mask in enumerate(masks[:6]):
        heeded = policy != "scores-only" and number < 2
        truth = read_labels(tiny_voc / "SegmentationClass" / f"im{number}.png")
        np.testing.assert_array_equal(mask, truth if heeded else offered)
    assert masks[6:] == [None, None]
    told = found.told()
    assert sum(row["images"] for row in told["rules"]) == told["images"] == 8
    assert told["weight"] == 2


def test_a_lower_tau_takes_undecided_masks_beside_the_decided(tiny_voc: Path, tmp_path: Path):
    manifest = snapshot_of(tiny_voc, tmp_path / "snapshot")
    assert rules(chosen(manifest, tau=0.2))[:6] == [
        "accepted", "fixed", "rejected", "above", "above", "below",
    ]  # fmt: skip
    # Of the three that nobody decided on.
    assert chosen(manifest, keep=2).tau == 0.2
    assert rules(chosen(manifest, selection=False)).count("all") == 3


def test_a_run_may_stand_for_a_snapshots_candidates_and_brings_its_own_scores(
    tiny_voc: Path, tmp_path: Path
):
    manifest = snapshot_of(tiny_voc, tmp_path / "snapshot")
    run = proxies(tiny_voc, tmp_path / "run", images=8)
    found = chosen(manifest, from_=str(run), tau=0.5)
    assert rules(found) == [
        "accepted", "fixed", "above", "above", "below", "below", "unscored", "unscored",
    ]  # fmt: skip
    assert found.source.items[3].mask == run / "labels" / "im3.png"
    (run / "scores.jsonl").unlink()
    with pytest.raises(TrainingError, match="None of the 6 masks that are judged by their score"):
        chosen(manifest, from_=str(run))


def test_a_rejection_is_of_the_mask_that_was_seen_and_of_no_other(tiny_voc: Path, tmp_path: Path):
    manifest = snapshot_of(tiny_voc, tmp_path / "snapshot")
    run = proxies(tiny_voc, tmp_path / "run")
    assert chosen(manifest).rules["im2"] == "rejected"
    # Another network's mask of the image, which nobody has looked at: its score decides.
    assert chosen(manifest, from_=str(run), tau=0.5).rules["im2"] == "above"
    assert chosen(manifest, from_=str(run), tau=0.51).rules["im2"] == "below"
    # The same mask once more, and none at all in the place of the rejected one.
    write_labels(run / "labels" / "im2.png", np.full((48, 48), 12, np.uint8))
    assert chosen(manifest, from_=str(run), tau=0.5).rules["im2"] == "rejected"
    (run / "labels" / "im2.png").unlink()
    assert chosen(manifest, from_=str(run), tau=0.5).rules["im2"] == "rejected"


def test_a_mask_that_was_not_scored_does_not_get_the_score_of_the_candidate_before_it(
    tiny_voc: Path, tmp_path: Path
):
    manifest = snapshot_of(tiny_voc, tmp_path / "snapshot")
    run = proxies(tiny_voc, tmp_path / "run", images=4)
    scores = tmp_path / "scores.jsonl"
    scores.write_text('{"image": "im5", "SF": 0.7}\n')
    found = chosen(manifest, from_=str(run), scores=str(scores), tau=0.1)
    # im3 has the run's mask, which has no score; im4 has none there and keeps its candidate.
    assert (found.rules["im3"], found.scores["im3"]) == ("unscored", None)
    assert (found.rules["im4"], found.scores["im4"]) == ("above", 0.2)
    assert found.scores["im5"] == 0.7
    (run / "scores.jsonl").write_text('{"image": "im5", "SF": 0.7}\n')
    assert chosen(manifest, from_=str(run), tau=0.1).scores == found.scores


def scored(run: Path, out: Path, recipe: str = "score") -> Path:
    """A folder with the scores of a run's masks, whose configuration says so."""
    out.mkdir()
    shutil.copy(run / "scores.jsonl", out)
    write_config(out, {"recipe": recipe, "settings": {"from_": str(run)}})
    return out


def test_scores_of_other_labels_are_refused_and_those_of_a_copy_or_of_nobody_are_not(
    tiny_voc: Path, tmp_path: Path
):
    run, other = proxies(tiny_voc, tmp_path / "run"), proxies(tiny_voc, tmp_path / "other")
    scores = scored(run, tmp_path / "scored")
    there = tmp_path / "run" / ".." / "run"
    for named in (scores, scores / "scores.jsonl"):
        assert rules(chosen(tiny_voc, from_=str(there), scores=str(named))).count("above") == 2
    # A copy has the same labels, and may have more of them.
    assert rules(chosen(tiny_voc, from_=str(other), scores=str(scores))).count("above") == 2
    write_labels(other / "labels" / "im0.png", np.full((48, 48), 12, np.uint8))
    for named in (scores, scores / "scores.jsonl"):
        with pytest.raises(TrainingError, match=r"has the scores of the labels of .*/run, but the"):
            chosen(tiny_voc, from_=str(other), scores=str(named))
    # The labels of a snapshot's candidates are not named by a folder.
    chosen(snapshot_of(tiny_voc, tmp_path / "snapshot"), scores=str(scores))
    # Moved elsewhere, all of it: the names stay.
    moved = shutil.move(run, tmp_path / "elsewhere" / "run")
    chosen(tiny_voc, from_=str(moved), scores=str(scores))
    with pytest.raises(TrainingError, match="has the scores of the labels of"):
        chosen(tiny_voc, from_=str(other), scores=str(scores))
    # A run that made labels from maps says with --from where the maps are.
    config = scored(moved, tmp_path / "labels", recipe="fuse")
    chosen(tiny_voc, from_=str(other), scores=str(config))


def told_of_masks(out: Path, masks: dict[str, Path], **scores: float) -> Path:
    """A scores.jsonl that says of which masks its scores are."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [
        {"image": name, "mask": hashlib.sha256(path.read_bytes()).hexdigest(), **scores}
        for name, path in masks.items()
    ]
    (out / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out


def test_a_score_counts_for_the_mask_alone_that_it_was_taken_of(
    tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = proxies(tiny_voc, tmp_path / "run")
    masks = {f"im{number}": run / "labels" / f"im{number}.png" for number in range(7)}
    scores = told_of_masks(tmp_path / "scored", masks, SF=0.9)
    asked = {"from_": str(run), "scores": str(scores)}
    assert rules(chosen(tiny_voc, **asked)).count("above") == 7

    # Drawn anew in its place: whatever was measured was another mask.
    write_labels(masks["im3"], np.full((48, 48), 12, np.uint8))
    found = chosen(tiny_voc, **asked)
    assert (found.rules["im3"], rules(found).count("above")) == ("unscored", 6)
    said = capsys.readouterr().err
    assert "1 of 7 masks is not what" in said
    assert "counts as unscored: im3." in said

    # Those of a snapshot's candidates are not those of a run.
    manifest = snapshot_of(tiny_voc, tmp_path / "snapshot")
    with pytest.raises(TrainingError, match="has the scores of other masks: none of the 3 is"):
        chosen(manifest, scores=str(scores))
    offered = dict.fromkeys(("im2", "im3", "im4", "im5"), tmp_path / "snapshot" / "offered.png")
    right = told_of_masks(tmp_path / "right", offered, SF=0.8)
    found = chosen(manifest, scores=str(right), policy="scores-only")
    assert [found.rules[name] for name in offered] == ["above"] * 4
    # A mask that a person drew or accepted is not judged by a score, and is not complained of.
    capsys.readouterr()
    person = told_of_masks(tmp_path / "person", {"im0": masks["im0"], **offered}, SF=0.8)
    assert chosen(manifest, scores=str(person)).rules["im0"] == "accepted"
    assert "not what" not in capsys.readouterr().err


def test_scores_that_lack_the_asked_one_are_refused_and_not_passed_over(
    tiny_voc: Path, tmp_path: Path
):
    manifest = snapshot_of(tiny_voc, tmp_path / "snapshot")
    coarse = tmp_path / "coarse"
    coarse.mkdir()
    (coarse / "scores.jsonl").write_text('{"image": "im3", "AC": 0.5, "SC": 0.5}\n')
    with pytest.raises(TrainingError, match=r"coarse has no SF of any image\..*--by SC"):
        chosen(manifest, scores=str(coarse))
    assert chosen(manifest, scores=str(coarse), by="SC", tau=0.5).rules["im3"] == "above"
    # Where scores are not gone by, none is missed.
    chosen(manifest, scores=str(coarse), selection=False)


def test_what_is_gone_by_is_what_the_policy_is_told_as(tiny_voc: Path, tmp_path: Path):
    manifest = snapshot_of(tiny_voc, tmp_path / "snapshot")
    assert "score is at least tau" in chosen(manifest).about()
    said = chosen(manifest, selection=False).about()
    assert said.endswith("and every undecided one does.")
    assert "tau" not in chosen(manifest, selection=False, policy="scores-only").text()


def test_an_older_snapshot_is_read_as_before(tiny_voc: Path, tmp_path: Path):
    manifest = snapshot_of(tiny_voc, tmp_path / "snapshot", candidates=False)
    found = chosen(manifest)
    assert rules(found) == ["accepted", "fixed", *["bare"] * 6]
    assert found.tau is None


def test_true_masks_of_a_list_weigh_1_whatever_their_score(tiny_voc: Path, tmp_path: Path):
    run = proxies(tiny_voc, tmp_path / "run")
    lists = tmp_path / "voc"
    lists.mkdir()
    for each in tiny_voc.iterdir():
        if each.name != "ImageSets":
            (lists / each.name).symlink_to(each)
    (lists / "ImageSets/Segmentation").mkdir(parents=True)
    (lists / "ImageSets/Segmentation/train.txt").write_text("\n".join(f"im{n}" for n in range(8)))
    (lists / "ImageSets/Segmentation/gold.txt").write_text("im5\nim7\n")
    found = chosen(lists, from_=str(run), strong="gold")
    assert [name for name, rule in found.rules.items() if rule == "true"] == ["im5", "im7"]
    assert found.source.items[5].mask == lists / "SegmentationClass" / "im5.png"


def test_mistakes_are_sentences(tiny_voc: Path, tmp_path: Path):
    run = str(proxies(tiny_voc, tmp_path / "run"))
    with pytest.raises(TrainingError, match="--keep 3 finds tau by itself"):
        chosen(tiny_voc, from_=run, keep=3, tau=0.5)
    with pytest.raises(TrainingError, match=r"No mask is left to learn from\.(.|\n)*6  .*below"):
        chosen(tiny_voc, from_=run, tau=1.0)
    with pytest.raises(TrainingError, match=r"--tau -0.5 is no score: give one from 0 to 1"):
        chosen(tiny_voc, from_=run, tau=-0.5)
    with pytest.raises(
        TrainingError, match=r"No mask is left(.|\n)*\nAccept or fix some masks, fr"
    ):
        chosen(tiny_voc, from_=run, policy="accepted-only")
    with pytest.raises(TrainingError, match="has no labels"):
        chosen(tiny_voc, from_=str(tmp_path))
    with pytest.raises(DataError, match="no split gold"):
        chosen(tiny_voc, from_=run, strong="gold")


@pytest.fixture
def told(tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable:
    """What `sal --dry-run` prints of a snapshot: its lines, and the last one read."""

    def ask(*more: str) -> tuple[list[str], dict[str, Any]]:
        manifest = tmp_path / "snapshot" / "manifest.json"
        if not manifest.exists():
            snapshot_of(tiny_voc, tmp_path / "snapshot")
        out = tmp_path / "run"
        words = ["sal", "--data", str(manifest), "--out", str(out), "--preset", "scenes"]
        assert main([*words, "--dry-run", *more]) == 0
        assert not out.exists()
        *lines, last = capsys.readouterr().out.splitlines()
        return lines, json.loads(last)

    return ask


def test_a_dry_run_shows_how_many_images_each_rule_takes_and_makes_nothing(told: Callable):
    lines, table = told("--tau", "0.5")
    assert lines[0].startswith("Policy curated: Accepted and fixed masks teach")
    assert lines[0].endswith(" tau is 0.5, of SF.")
    assert "      1       1  above: its score is at least tau" in lines
    assert [(row["rule"], row["images"]) for row in table["rules"]] == [
        ("fixed", 1), ("accepted", 1), ("above", 1), ("below", 2), ("rejected", 1), ("bare", 2),
    ]  # fmt: skip
    _, other = told("--policy", "scores-only", "--keep", "2")
    assert (other["policy"], other["tau"], other["weight"]) == ("scores-only", 0.55, 2)
