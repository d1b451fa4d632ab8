"""`python -m training labels`: proxy labels and scores for a folder, from trained weights."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.labels import read_heat, read_labels
from backend.maps.attention import resize
from backend.saliency import saliency_source
from backend.weights import read_card
from training.cli import main
from training.recipes.labels import already_done

from .conftest import SHORT, events_of, paint_voc


def make_labels(trained: Path, data: Path, out: Path, *more: str) -> int:
    named = ["--weights", str(trained), "--data", str(data), "--out", str(out), "--device", "cpu"]
    return main(["labels", *named, "--crf", "none", *more])


def scores_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def labelled(trained: Path, tiny_voc: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one finished labels run; not to be changed by a test."""
    out = tmp_path_factory.mktemp("labels") / "run"
    assert make_labels(trained, tiny_voc, out) == 0
    return out


def test_every_image_gets_labels_maps_and_a_line_of_scores(labelled: Path):
    names = [f"im{number}" for number in range(8)]
    assert sorted(path.stem for path in (labelled / "labels").iterdir()) == names
    assert [line["image"] for line in scores_of(labelled)] == names
    for line in scores_of(labelled):
        assert line["method"].startswith("cam.dcsp · ")
        assert {"AC", "CD", "SC"} <= set(line)
        assert line["SC"] == pytest.approx(line["AC"] * line["CD"])
    assert read_heat(labelled / "maps" / "im2" / "cat.png").shape == (48, 48)
    finished = events_of(labelled)[-1]
    assert (finished["kind"], finished["labels"], finished["maps"]) == ("finished", 8, 10)
    assert finished["metrics"]["AC"] == pytest.approx(
        np.mean([line["AC"] for line in scores_of(labelled)])
    )


def test_labels_hold_only_the_images_tags(labelled: Path):
    for name, ids in (("im0", {8}), ("im1", {12}), ("im2", {8, 12})):
        labels = read_labels(labelled / "labels" / f"{name}.png")
        assert labels.shape == (48, 48)
        assert set(np.unique(labels).tolist()) <= {0, 255, *ids}


def test_a_killed_run_goes_on_after_its_last_whole_line(
    labelled: Path, trained: Path, tiny_voc: Path, tmp_path: Path
):
    run = tmp_path / "run"
    shutil.copytree(labelled, run)
    lines = (run / "scores.jsonl").read_text().splitlines()
    (run / "scores.jsonl").write_text("\n".join(lines[:3]) + '\n{"image": "im3", "me')
    (run / "labels" / "im1.png").unlink()
    events = (run / "events.jsonl").read_text().splitlines()
    (run / "events.jsonl").write_text("\n".join(events[:1]) + "\n")
    kept = (run / "labels" / "im0.png").stat().st_mtime_ns

    assert main(["labels", "--out", str(run), "--resume"]) == 0
    found = {}
    for line in (run / "scores.jsonl").read_text().splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        found[told["image"]] = told
    assert found == {line["image"]: line for line in scores_of(labelled)}
    assert (run / "labels" / "im0.png").stat().st_mtime_ns == kept
    assert events_of(run)[-1]["labels"] == 8


def test_the_weights_and_the_saliency_of_the_labels_are_on_record(labelled: Path, trained: Path):
    file = trained / "weights.safetensors" if trained.is_dir() else trained
    digest, card = sha256(file.read_bytes()).hexdigest(), read_card(file)
    told = json.loads((labelled / "provenance.json").read_text())
    assert told["weights"] == {"name": card.name, "digest": digest, "origin": card.origin}
    assert card.origin
    assert told["saliency"] == {
        "name": "classical", "origin": saliency_source("classical").origin,
    }  # fmt: skip
    for line in scores_of(labelled):
        assert (line["weights_digest"], line["saliency"]) == (digest, "classical")
        assert line["method"] == f"cam.dcsp · {card.name} ({digest[:8]}) · classical"


def test_a_run_does_not_go_on_with_other_weights(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = tmp_path / "run"
    shutil.copytree(labelled, run)
    (run / "events.jsonl").write_text((run / "events.jsonl").read_text().splitlines()[0] + "\n")
    told = json.loads((run / "provenance.json").read_text())
    told["weights"] |= {"name": "earlier", "digest": "0" * 64}
    (run / "provenance.json").write_text(json.dumps(told))
    assert main(["labels", "--out", str(run), "--resume"]) == 2
    assert "began with the weights earlier (00000000)" in capsys.readouterr().err


def test_lines_that_name_no_image_are_not_counted_as_done(labelled: Path, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(labelled, run)
    with (run / "scores.jsonl").open("a") as file:
        file.write('{"method": "dcsp"}\n[1]\n3\nnull\n{"image": 4}\n{"image": ["im1"]}\n')
    assert set(already_done(run)) == {f"im{number}" for number in range(8)}


def test_precomputed_saliency_decides_what_is_foreground(
    trained: Path, tiny_voc: Path, tmp_path: Path
):
    maps = tmp_path / "saliency"
    maps.mkdir()
    for number in range(8):
        salient = np.full((48, 48), 255 * (number == 3), np.uint8)
        cv2.imwrite(str(maps / f"im{number}.png"), salient)
    assert make_labels(trained, tiny_voc, tmp_path / "run", "--saliency", f"folder:{maps}") == 0
    (line,) = scores_of(tmp_path / "run")
    assert line["saliency"] == f"folder:{maps}"
    assert line["method"].endswith(" · folder:saliency")
    # Where nothing is salient no mask has a pixel of a tag, and there is nothing to review.
    assert [path.name for path in (tmp_path / "run" / "labels").iterdir()] == ["im3.png"]
    assert read_labels(tmp_path / "run" / "labels" / "im3.png").any()
    said = [event["text"] for event in events_of(tmp_path / "run") if event["kind"] == "message"]
    assert any(text.startswith("im0 has no pixel of any tag") for text in said)


def test_the_crf_is_named_in_the_method(trained: Path, tmp_path: Path):
    pytest.importorskip("pydensecrf.densecrf", reason="the dense CRF is not installed")
    data = paint_voc(tmp_path / "data", count=2)
    assert make_labels(trained, data, tmp_path / "run", "--crf", "oaa", "--fusion", "seenet") == 0
    found = {line["method"].split(" · ")[0] for line in scores_of(tmp_path / "run")}
    assert found == {"cam.seenet.crf"}


def test_an_unreadable_image_is_left_out_and_named(trained: Path, tmp_path: Path):
    data = paint_voc(tmp_path / "data", count=3)
    (data / "JPEGImages" / "im1.jpg").write_bytes(b"nothing")
    assert make_labels(trained, data, tmp_path / "run") == 0
    assert [line["image"] for line in scores_of(tmp_path / "run")] == ["im0", "im2"]
    said = [event["text"] for event in events_of(tmp_path / "run") if event["kind"] == "message"]
    assert any("im1 is left out" in text for text in said)


def test_an_image_whose_tags_the_weights_do_not_know_has_no_labels(trained: Path, tmp_path: Path):
    data = paint_voc(tmp_path / "data", count=2)
    (data / "tags.csv").write_text("image,tags\nim0,cat\nim1,horse\n")
    assert make_labels(trained, data, tmp_path / "run") == 0
    assert [line["image"] for line in scores_of(tmp_path / "run")] == ["im0"]
    said = [event["text"] for event in events_of(tmp_path / "run") if event["kind"] == "message"]
    assert any("im1 has no labels" in text and "horse" in text for text in said)


def test_the_masks_of_a_run_of_oaa_are_made_of_what_it_accumulated(tiny_voc: Path, tmp_path: Path):
    run = tmp_path / "oaa"
    named = ["--data", str(tiny_voc), "--out", str(run)]
    passes = ["--epochs", "3", "--warmup-passes", "1"]
    assert main(["oaa", *named, *SHORT, *passes, "--gate", "none"]) == 0
    assert make_labels(run, tiny_voc, tmp_path / "own") == 0
    assert make_labels(run / "weights.safetensors", tiny_voc, tmp_path / "file") == 0
    assert make_labels(run, tiny_voc, tmp_path / "cam", "--method", "cam") == 0
    for name in ("im0", "im2"):
        gathered = read_heat(run / "maps" / name / "cat.png")
        shown = read_heat(tmp_path / "own" / "maps" / name / "cat.png")
        # what the passes add up to here is what the run itself wrote, to the rounding of 8 bits
        expected = resize(gathered[None], (48, 48))[0]
        assert shown == pytest.approx(expected, abs=0.01)
        assert (read_heat(tmp_path / "cam" / "maps" / name / "cat.png") != shown).any()
    assert scores_of(tmp_path / "own")[0]["method"].startswith("oaa.dcsp · ")
    assert scores_of(tmp_path / "file") == scores_of(tmp_path / "own")
    assert scores_of(tmp_path / "cam")[0]["method"].startswith("cam.dcsp · ")


def test_the_attention_of_another_method_can_be_asked_for(
    trained: Path, tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert make_labels(trained, tiny_voc, tmp_path / "run", "--method", "layercam") == 0
    assert scores_of(tmp_path / "run")[0]["method"].startswith("layercam.dcsp · ")
    assert make_labels(trained, tiny_voc, tmp_path / "other", "--method", "seenet") == 2
    assert "SeeNet works with weights of the kind seenet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--weights", ""], "--weights is missing"),
        (["--weights", "missing.safetensors"], "There are no weights at missing.safetensors"),
        (["--saliency", "deep"], "There is no saliency source 'deep'"),
        (["--fusion", "best"], "--fusion is 'best'; it can be seenet, dcsp, oaa"),
        (["--method", "best"], "--method is 'best'; it can be own, cam"),
        (["--gamma", "2"], "--gamma is 2.0; it must be from 0 to 1"),
    ],
)
def test_mistakes_are_sentences(
    trained: Path,
    tiny_voc: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    sentence: str,
):
    assert make_labels(trained, tiny_voc, tmp_path / "run", *more) == 2
    assert f"tagmask: {sentence}" in capsys.readouterr().err
