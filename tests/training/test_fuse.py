"""`python -m training fuse`: a run's maps become proxy labels by each paper's rule."""

import json
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.labels import read_labels, write_heat, write_labels
from backend.maps import crf, fusion
from backend.maps.attention import normalise, resize
from training.cli import main
from training.events import EventWriter
from training.run import write_config

from .conftest import events_of, paint_voc

CAT, DOG = 8, 12
SIDE = 48


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four images: im0 of a cat, im1 of a dog, im2 of both, im3 of a cat."""
    return paint_voc(tmp_path / "data", count=4)


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Path:
    """A run as an attention method leaves it: maps of 6x6 for every image and tag."""
    folder = tmp_path / "attention"
    random = np.random.default_rng(3)
    for row in (data / "tags.csv").read_text().splitlines()[1:]:
        image, tags = row.split(",")
        for tag in tags.split():
            write_heat(folder / "maps" / image / f"{tag}.png", random.random((6, 6)))
    write_config(folder, {"recipe": "oaa", "settings": {}})
    with closing(EventWriter(folder)) as events:
        events.write("finished")
    return folder


@pytest.fixture
def salient(data: Path, tmp_path: Path) -> Path:
    """Saliency maps of all images, of another size than theirs."""
    folder = tmp_path / "salient"
    folder.mkdir()
    random = np.random.default_rng(4)
    for number in range(4):
        grey = random.integers(0, 256, (24, 24), dtype=np.uint8)
        cv2.imwrite(str(folder / f"im{number}.png"), grey)
    return folder


def fuse(run: Path, data: Path, out: Path, *more: str) -> int:
    named = ["--from", str(run), "--data", str(data), "--out", str(out), "--device", "cpu"]
    return main(["fuse", *named, *more])


def inputs(run: Path, salient: Path, image: str) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Attention (K,H,W), saliency (H,W) and ids of an image, read by other means."""
    names = {CAT: "cat", DOG: "dog"}
    ids = [id for id, name in names.items() if (run / "maps" / image / f"{name}.png").exists()]
    heats = [
        cv2.imread(str(run / "maps" / image / f"{names[id]}.png"), cv2.IMREAD_GRAYSCALE) / 255
        for id in ids
    ]
    grey = cv2.imread(str(salient / f"{image}.png"), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
    large = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return resize(np.stack(heats).astype(np.float32), (SIDE, SIDE)), large, ids


def labels_in(out: Path, image: str) -> np.ndarray:
    return read_labels(out / "labels" / f"{image}.png")


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--fusion", "seenet"], lambda a, s, i: fusion.seenet_labels(normalise(a), s, i)),
        (
            ["--fusion", "seenet", "--weight", "3", "--saliency-threshold", "0.4"],
            lambda a, s, i: fusion.seenet_labels(normalise(a), s, i, 3.0, 0.4),
        ),
        (
            ["--fusion", "dcsp", "--gamma", "0.55", "--mean", "geometric"],
            lambda a, s, i: fusion.dcsp_labels(normalise(a, how="minmax"), s, i, 0.55, "geometric"),
        ),
        (["--fusion", "oaa"], lambda a, s, i: fusion.oaa_labels(normalise(a, how="minmax"), s, i)),
        (
            ["--fusion", "oaa", "--keep-above", "0.5", "--strong-above", "0.6"],
            lambda a, s, i: fusion.oaa_labels(
                normalise(a, how="minmax"), s, i, keep_above=0.5, strong_above=0.6
            ),
        ),
    ],
)
def test_labels_are_those_of_the_rule(
    run: Path, data: Path, salient: Path, tmp_path: Path, words: list[str], rule
):
    out = tmp_path / "out"
    assert fuse(run, data, out, "--saliency", f"folder:{salient}", *words) == 0
    for image in ("im0", "im1", "im2", "im3"):
        heats, grey, ids = inputs(run, salient, image)
        assert (labels_in(out, image) == rule(heats, grey, ids)).all(), image
    lines = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert [line["image"] for line in lines] == ["im0", "im1", "im2", "im3"]
    assert lines[0]["method"] == f"oaa.{words[1]} · attention · folder:salient"
    assert {"AC", "CD", "SC"} <= set(lines[0])
    finished = events_of(out)[-1]
    assert (finished["kind"], finished["labels"], finished["maps"]) == ("finished", 4, 0)
    assert 0 <= finished["metrics"]["label_miou"] <= 100


def test_the_crf_starts_from_the_labels_and_leaves_what_is_undecided(
    run: Path, data: Path, salient: Path, tmp_path: Path
):
    pytest.importorskip("pydensecrf.densecrf", reason="the dense CRF is not installed")
    words = ["--saliency", f"folder:{salient}", "--fusion", "oaa", "--keep-above", "0.5"]
    for out, more in (("plain", []), ("kept", ["--crf", "oaa"]),
                      ("filled", ["--crf", "oaa", "--no-keep-ignored"])):  # fmt: skip
        assert fuse(run, data, tmp_path / out, *words, *more) == 0
    photograph = cv2.imread(str(data / "JPEGImages" / "im2.jpg"))[..., ::-1]
    plain = labels_in(tmp_path / "plain", "im2")
    evidence = crf.probabilities_from_labels(plain, [CAT, DOG], 0.9)
    refined = crf.refine(np.ascontiguousarray(photograph), evidence, crf.PRESETS["oaa"])
    filled = crf.labels_from_probabilities(refined, [CAT, DOG])
    assert (labels_in(tmp_path / "filled", "im2") == filled).all()
    ignored = plain == 255
    assert ignored.any()
    kept = labels_in(tmp_path / "kept", "im2")
    assert (kept[ignored] == 255).all()
    assert (kept[~ignored] == filled[~ignored]).all()


def test_an_image_in_which_nothing_is_salient_teaches_nothing(
    run: Path, data: Path, salient: Path, tmp_path: Path
):
    cv2.imwrite(str(salient / "im1.png"), np.zeros((SIDE, SIDE), np.uint8))
    assert fuse(run, data, tmp_path / "out", "--saliency", f"folder:{salient}") == 0
    assert (labels_in(tmp_path / "out", "im1") == 255).all()
    said = [event["text"] for event in events_of(tmp_path / "out") if event["kind"] == "message"]
    assert "im1 has no pixel of any tag, and teaches nothing." in said
    assert "1 saliency maps are zero everywhere: im1." in said


def test_labels_that_teach_nothing_at_all_are_no_result(
    run: Path, data: Path, salient: Path, tmp_path: Path, capsys
):
    for path in salient.iterdir():
        cv2.imwrite(str(path), np.zeros((SIDE, SIDE), np.uint8))
    assert fuse(run, data, tmp_path / "out", "--saliency", f"folder:{salient}") == 2
    said = capsys.readouterr().err
    assert "No image has a pixel of any tag" in said
    assert "4 saliency maps are zero everywhere" in said


def test_an_image_that_is_salient_throughout_gets_no_labels(
    run: Path, data: Path, salient: Path, tmp_path: Path
):
    """It would be an object from edge to edge, with the best of scores."""
    cv2.imwrite(str(salient / "im1.png"), np.full((SIDE, SIDE), 255, np.uint8))
    assert fuse(run, data, tmp_path / "out", "--saliency", f"folder:{salient}") == 0
    assert {path.stem for path in (tmp_path / "out" / "labels").iterdir()} == {"im0", "im2", "im3"}
    said = " ".join(e["text"] for e in events_of(tmp_path / "out") if e["kind"] == "message")
    assert "im1 is left out: its saliency is one everywhere" in said


def test_a_large_photograph_is_refined_smaller(
    run: Path, data: Path, salient: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if reason := crf.missing():
        pytest.skip(reason)
    seen = []

    def refine(pool, image, evidence, parameters):
        seen.append((image.shape[:2], evidence.shape))
        return evidence

    monkeypatch.setattr("backend.refinement.CrfPool.refine", refine)
    monkeypatch.setattr("training.fusing.LARGEST_FOR_CRF", 24)
    words = ["--saliency", f"folder:{salient}", "--crf", "oaa"]
    assert fuse(run, data, tmp_path / "out", *words) == 0
    assert {size for size, _ in seen} == {(24, 24)}
    assert {shape[1:] for _, shape in seen} == {(24, 24)}
    assert labels_in(tmp_path / "out", "im2").shape == (SIDE, SIDE)


def test_a_true_mask_that_cannot_be_used_is_told_and_ends_nothing(
    run: Path, data: Path, salient: Path, tmp_path: Path
):
    write_labels(data / "SegmentationClass" / "im0.png", np.full((SIDE, SIDE), 99, np.uint8))
    out = tmp_path / "out"
    assert fuse(run, data, out, "--saliency", f"folder:{salient}") == 0
    told = events_of(out)
    assert told[-1]["metrics"]["label_miou"] > 0
    said = [event["text"] for event in told if event["kind"] == "message"]
    (about,) = [text for text in said if "im0 is not measured" in text]
    assert "99" in about


def test_labels_of_another_making_are_not_gone_on_with(
    run: Path, data: Path, salient: Path, tmp_path: Path, capsys
):
    """A run that fails half way keeps its configuration, so that nothing else adopts its labels."""
    out = tmp_path / "out"
    whole = (run / "maps" / "im3" / "cat.png").read_bytes()
    (run / "maps" / "im3" / "cat.png").write_bytes(whole[:-30])
    words = ["--saliency", f"folder:{salient}", "--threads", "1"]
    assert fuse(run, data, out, *words) == 2
    assert len(list((out / "labels").glob("*.png"))) > 0
    assert fuse(run, data, out, *words, "--fusion", "dcsp") == 2
    (run / "maps" / "im3" / "cat.png").write_bytes(whole)
    assert main(["fuse", "--out", str(out), "--resume"]) == 2
    assert "This run began with the attention attention (" in capsys.readouterr().err
    moved = tmp_path / "moved"
    (moved / "labels").mkdir(parents=True)
    write_labels(moved / "labels" / "im0.png", np.zeros((SIDE, SIDE), np.uint8))
    assert fuse(run, data, moved, *words) == 2
    assert "holds labels that this run has not made" in capsys.readouterr().err


def test_a_run_that_is_not_finished_is_not_stood_on_and_a_missing_map_is_named(
    run: Path, data: Path, salient: Path, tmp_path: Path, capsys
):
    (run / "maps" / "im2" / "dog.png").unlink()
    assert fuse(run, data, tmp_path / "out", "--saliency", f"folder:{salient}") == 0
    said = " ".join(e["text"] for e in events_of(tmp_path / "out") if e["kind"] == "message")
    assert "1 of 4 images lack the map of one of their tags" in said
    assert "background: im2." in said
    with closing(EventWriter(run)) as events:
        events.write("failed", error="no more")
    assert fuse(run, data, tmp_path / "again", "--saliency", f"folder:{salient}") == 2
    assert "is not finished: it failed" in capsys.readouterr().err


def test_images_without_saliency_or_maps_are_named_and_the_rest_is_labelled(
    run: Path, data: Path, salient: Path, tmp_path: Path
):
    (salient / "im0.png").unlink()
    (run / "maps" / "im1" / "dog.png").unlink()
    (data / "JPEGImages" / "im3.jpg").write_bytes(
        (data / "JPEGImages" / "im3.jpg").read_bytes()[:-400]
    )
    assert fuse(run, data, tmp_path / "out", "--saliency", f"folder:{salient}") == 0
    assert [path.stem for path in (tmp_path / "out" / "labels").iterdir()] == ["im2"]
    said = " ".join(e["text"] for e in events_of(tmp_path / "out") if e["kind"] == "message")
    assert "There is no saliency map for im0" in said
    assert "im1 is left out: there is no map of its tags" in said
    assert "im3 is left out:" in said


def test_a_killed_run_goes_on_with_what_is_missing(
    run: Path, data: Path, salient: Path, tmp_path: Path
):
    out = tmp_path / "out"
    assert fuse(run, data, out, "--saliency", f"folder:{salient}") == 0
    before = {path.name: path.read_bytes() for path in (out / "labels").iterdir()}
    stamp = (out / "labels" / "im0.png").stat().st_mtime_ns
    lines = (out / "scores.jsonl").read_text().splitlines()
    (out / "scores.jsonl").write_text("\n".join(lines[:2]) + '\n{"image": "im2", "me')
    (out / "labels" / "im1.png").unlink()
    events = (out / "events.jsonl").read_text().splitlines()
    (out / "events.jsonl").write_text(events[0] + "\n")
    assert main(["fuse", "--out", str(out), "--resume"]) == 0
    assert {path.name: path.read_bytes() for path in (out / "labels").iterdir()} == before
    assert (out / "labels" / "im0.png").stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--from", ""], "--from is missing"),
        (["--from", "/nowhere"], "/nowhere is not a run's folder"),
        (["--saliency", "deep"], "There is no saliency source 'deep'"),
        (["--fusion", "best"], "--fusion is 'best'; it can be seenet, dcsp, oaa"),
        (["--confidence", "0.2"], "--confidence is 0.2; it must be from 0.5 to 1"),
    ],
)
def test_mistakes_are_sentences(
    run: Path, data: Path, tmp_path: Path, capsys, more: list[str], sentence: str
):
    assert fuse(run, data, tmp_path / "out", *more) == 2
    assert f"tagmask: {sentence}" in capsys.readouterr().err
