"""The recipe suggest: a real small classifier over images with and without tags."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from backend.exchange.sources import open_source
from backend.images import read_image
from backend.weights import load
from training.cli import main
from training.maps_export import resized

from .conftest import events_of, paint_voc, start
from .scoring import said

HOW = ["--device", "cpu", "--precision", "32"]


def suggest(data: Path, weights: Path, out: Path, *more: str) -> int:
    given = ["--data", str(data), "--weights", str(weights), "--out", str(out)]
    return main(["suggest", *given, *HOW, *more])


def lines_of(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "suggestions.jsonl").read_text().splitlines()]


@pytest.fixture
def some_tagged(tmp_path: Path) -> Path:
    """The painted images, of which the first has the wrong tag and the second none."""
    data = paint_voc(tmp_path / "data")
    rows = (data / "tags.csv").read_text().splitlines()
    wrong = {"im0": "dog", "im1": ""}
    (data / "tags.csv").write_text(
        "\n".join(f"{n},{wrong[n]}" if (n := row.split(",")[0]) in wrong else row for row in rows)
    )
    return data


def test_every_image_gets_the_networks_own_probabilities(
    some_tagged: Path, trained: Path, tmp_path: Path
) -> None:
    assert suggest(some_tagged, trained, tmp_path / "out", "--no-flip") == 0
    lines = {line["image"]: line["scores"] for line in lines_of(tmp_path / "out")}
    assert list(lines) == [f"im{n}" for n in range(8)]
    # The second formulation: the network asked by itself, one image at a time.
    network, card = load(trained)
    for item in open_source(some_tagged, "all").items:
        image = resized(read_image(item.image), card.input_size)
        with torch.no_grad():
            scores = network(card.normalisation.tensor(image)[None]).scores[0].sigmoid()
        expected = dict(zip(card.classes, scores.tolist(), strict=True))
        assert lines[item.name] == pytest.approx(expected, abs=1e-4)


def test_its_numbers_count_what_is_suggested_and_doubted(
    some_tagged: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert suggest(some_tagged, trained, out) == 0
    metrics = next(e for e in events_of(out) if e["kind"] == "finished")["metrics"]
    source = open_source(some_tagged, "all")
    tags = {item.name: {source.classes[tag] for tag in item.tags} for item in source.items}
    pairs = [
        (score, name in tags[line["image"]], bool(tags[line["image"]]))
        for line in lines_of(out)
        for name, score in line["scores"].items()
    ]
    assert metrics["images"] == 8
    assert metrics["suggested_tags"] == sum(s >= 0.5 and not has for s, has, _ in pairs)
    assert metrics["doubted_tags"] == sum(s <= 0.2 and has for s, has, _ in pairs)
    decided = [(s > 0.5) == has for s, has, tagged in pairs if tagged]
    assert metrics["tag_accuracy"] == pytest.approx(sum(decided) / len(decided))


def test_a_mirrored_look_is_averaged_in(some_tagged: Path, trained: Path, tmp_path: Path) -> None:
    assert suggest(some_tagged, trained, tmp_path / "plain", "--no-flip") == 0
    assert suggest(some_tagged, trained, tmp_path / "both", "--batch", "3") == 0
    network, card = load(trained)
    first = open_source(some_tagged, "all").items[0]
    tensor = card.normalisation.tensor(resized(read_image(first.image), card.input_size))[None]
    with torch.no_grad():
        looks = [network(t).scores[0].sigmoid() for t in (tensor, tensor.flip(-1))]
    mean = ((looks[0] + looks[1]) / 2).tolist()
    found = lines_of(tmp_path / "both")[0]["scores"]
    assert found == pytest.approx(dict(zip(card.classes, mean, strict=True)), abs=1e-4)


def test_a_torn_line_is_made_again_and_nothing_else(
    some_tagged: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert suggest(some_tagged, trained, out) == 0
    whole = (out / "suggestions.jsonl").read_text()
    kept = whole.splitlines(keepends=True)
    (out / "suggestions.jsonl").write_text("".join(kept[:3]) + kept[3][:20])
    events = [e for e in (out / "events.jsonl").read_text().splitlines() if "finished" not in e]
    (out / "events.jsonl").write_text("\n".join(events) + "\n")
    assert main(["suggest", "--out", str(out), "--resume"]) == 0
    assert (out / "suggestions.jsonl").read_text() == whole
    assert "3 images were done; 5 remain" in said(out)


def test_a_killed_run_goes_on_where_it_was(trained: Path, tmp_path: Path) -> None:
    data = paint_voc(tmp_path / "data", count=120)
    out = tmp_path / "out"
    process = start(
        "suggest", "--data", str(data), "--weights", str(trained), "--out", str(out),
        "--batch", "2", *HOW,
    )  # fmt: skip
    path = out / "suggestions.jsonl"
    while process.poll() is None and not (path.exists() and path.stat().st_size > 200):
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    # So quick a network may have come to its end before the kill; then there is nothing to resume.
    assert main(["suggest", "--out", str(out), "--resume"]) == 0
    assert sorted(line["image"] for line in lines_of(out)) == sorted(f"im{n}" for n in range(120))


def test_other_weights_cannot_go_on_with_a_run(
    some_tagged: Path, trained: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "net.safetensors"
    weights.write_bytes((trained / "weights.safetensors").read_bytes())
    out = tmp_path / "out"
    assert suggest(some_tagged, weights, out) == 0
    events = [e for e in (out / "events.jsonl").read_text().splitlines() if "finished" not in e]
    (out / "events.jsonl").write_text("\n".join(events) + "\n")
    from backend.weights import save

    network, card = load(weights)
    torch.nn.init.zeros_(next(network.parameters()))
    save(weights, network, card)
    assert main(["suggest", "--out", str(out), "--resume"]) == 2


def test_what_is_no_classifier_is_refused(
    some_tagged: Path, saliency_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert suggest(some_tagged, saliency_weights, tmp_path / "out") == 2
    assert "says nothing of an image's tags" in capsys.readouterr().err
    assert main(["suggest", "--data", str(some_tagged), "--out", str(tmp_path / "two")]) == 2
    assert "--weights is missing" in capsys.readouterr().err


def test_an_unreadable_image_is_left_out_and_named(
    some_tagged: Path, trained: Path, tmp_path: Path
) -> None:
    (some_tagged / "JPEGImages" / "im3.jpg").write_bytes(b"no image")
    out = tmp_path / "out"
    assert suggest(some_tagged, trained, out) == 0
    assert [line["image"] for line in lines_of(out)] == [f"im{n}" for n in range(8) if n != 3]
    assert "im3 is left out" in said(out)
