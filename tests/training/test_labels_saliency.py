"""The saliency behind proxy labels: a network's, with its weights on record, and folders' gaps."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.labels import read_labels
from backend.saliency import saliency_source
from backend.weights import load, save
from training.cli import main

from .conftest import events_of


def make_labels(trained: Path, data: Path, out: Path, *more: str) -> int:
    named = ["--weights", str(trained), "--data", str(data), "--out", str(out), "--device", "cpu"]
    return main(["labels", *named, "--crf", "none", *more])


def messages(out: Path) -> list[str]:
    return [event["text"] for event in events_of(out) if event["kind"] == "message"]


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """A folder in which everything is salient in every image."""
    folder = tmp_path / "maps"
    folder.mkdir()
    for number in range(8):
        cv2.imwrite(str(folder / f"im{number}.png"), np.full((48, 48), 255, np.uint8))
    return folder


def test_a_networks_weights_are_on_record_with_every_mask(
    trained: Path, tiny_voc: Path, saliency_weights: Path, tmp_path: Path
) -> None:
    named, out = f"network:{saliency_weights}", tmp_path / "run"
    assert make_labels(trained, tiny_voc, out, "--saliency", named, "--fusion", "seenet") == 0
    source = saliency_source(named)
    told = json.loads((out / "provenance.json").read_text())["saliency"]
    assert told == {"name": named, "origin": source.origin, "digest": source.digest}
    lines = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert lines
    for line in lines:
        assert line["saliency_digest"] == source.digest
        assert line["method"].endswith(f" · network:sal.safetensors ({source.digest[:8]})")


def test_a_run_does_not_go_on_with_another_network(
    trained: Path,
    tiny_voc: Path,
    saliency_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    assert make_labels(trained, tiny_voc, out, "--saliency", f"network:{saliency_weights}") == 0
    (out / "events.jsonl").write_text((out / "events.jsonl").read_text().splitlines()[0] + "\n")
    network, card = load(saliency_weights)
    with torch.no_grad():
        network.fuse.bias += 1
    save(saliency_weights, network, card)
    assert main(["labels", "--out", str(out), "--resume"]) == 2
    said = capsys.readouterr().err
    assert f"began with the saliency network:{saliency_weights} ({card.digest[:8]})" in said
    assert "--saliency now names" in said


def test_images_without_a_map_are_named_before_the_work_and_get_no_labels(
    trained: Path, tiny_voc: Path, maps: Path, tmp_path: Path
) -> None:
    for name in ("im1", "im4"):
        (maps / f"{name}.png").unlink()
    out = tmp_path / "run"
    assert make_labels(trained, tiny_voc, out, "--saliency", f"folder:{maps}") == 0
    told = messages(out)
    first = next(
        number for number, text in enumerate(told) if text.startswith("2 of 8 images have no")
    )
    assert told[first].endswith(f"in {maps} and get no labels: im1, im4.")
    for name in ("im1", "im4"):
        assert any(f"{name} has no labels" in text for text in told[first + 1 :])
        assert not (out / "labels" / f"{name}.png").exists()
    made = {path.stem for path in (out / "labels").iterdir()}
    assert made == {f"im{number}" for number in range(8)} - {"im1", "im4"}


@pytest.mark.parametrize("fusion", ["seenet", "dcsp", "oaa"])
def test_maps_of_any_size_and_of_one_value_stop_no_fusion(
    trained: Path, tiny_voc: Path, maps: Path, tmp_path: Path, fusion: str
) -> None:
    cv2.imwrite(str(maps / "im0.png"), np.full((7, 90), 255, np.uint8))
    cv2.imwrite(str(maps / "im2.png"), np.zeros((48, 48), np.uint8))
    out = tmp_path / "run"
    more = ["--saliency", f"folder:{maps}", "--fusion", fusion]
    assert make_labels(trained, tiny_voc, out, *more) == 0
    assert read_labels(out / "labels" / "im0.png").shape == (48, 48)
    assert (read_labels(out / "labels" / "im3.png") == 8).any()
    # Where nothing stands out, no pixel goes to a tag.
    assert not (out / "labels" / "im2.png").exists()
    told = messages(out)
    assert any(text.startswith("im2 has no pixel of any tag") for text in told)
    assert "8 saliency maps are the same everywhere: im0, im1, im2, im3, im4 and 3 more." in told
    shape = (
        "1 of 8 saliency maps have another shape than their images and are stretched to it: im0."
    )
    assert shape in told


def test_a_map_in_colour_is_named_and_the_others_are_made(
    trained: Path, tiny_voc: Path, maps: Path, tmp_path: Path
) -> None:
    cv2.imwrite(str(maps / "im5.png"), np.full((48, 48, 3), (0, 128, 255), np.uint8))
    (maps / "im6.png").write_bytes(b"\x89PNG")
    out = tmp_path / "run"
    assert make_labels(trained, tiny_voc, out, "--saliency", f"folder:{maps}") == 0
    told = messages(out)
    assert any("im5 has no labels" in text and "in colour" in text for text in told)
    assert any("im6 has no labels" in text and "cannot be used" in text for text in told)
    assert len(list((out / "labels").iterdir())) == 6


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("network:nobody", "There are no weights at nobody"),
        ("network:CAM", "kind 'cam', which gives no saliency"),
        ("network:CUT", "There is no saliency network here"),
    ],
)
def test_weights_that_give_no_saliency_are_sentences(
    trained: Path,
    tiny_voc: Path,
    saliency_weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    sentence: str,
) -> None:
    cut = shutil.copy(saliency_weights, tmp_path / "cut.safetensors")
    Path(cut).write_bytes(saliency_weights.read_bytes()[:50])
    name = name.replace("CAM", str(trained)).replace("CUT", str(cut))
    assert make_labels(trained, tiny_voc, tmp_path / "run", "--saliency", name) == 2
    assert sentence in capsys.readouterr().err
