"""Every attention method by the command line, on a dozen painted scenes: what its run leaves."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend.exchange.sources import Source, open_source
from backend.history import ACCUMULATED, read_history
from backend.images import read_image
from backend.labels import read_heat
from backend.maps.attention import resize
from backend.weights import load
from training.accumulating import Accumulator
from training.recipes.oaa import final_maps
from training.views import View

from .conftest import events_of, train

METHODS = ("classify", "oaa", "oaaplus", "seenet", "ecsnet")
KINDS = {"classify": "cam", **{name: name for name in METHODS[1:]}}
PARTS = {
    "classify": set(),
    "oaa": set(),
    "oaaplus": set(),
    "seenet": {"a", "b", "c"},
    "ecsnet": {"cam", "refined", "cam_erased", "refined_erased", "segmentation"},
}
EVERY_RUN = {
    "checkpoint-00000004.pt",
    "config.json",
    "evaluation",
    "events.jsonl",
    "film",
    "heartbeat",
    "maps",
    "provenance.json",
    "weights.safetensors",
}


@pytest.fixture(scope="module")
def runs(scenes: Path, oaa_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of every method: four steps, the maps looked for in both mirrorings."""
    folder = tmp_path_factory.mktemp("methods")
    own = {
        "oaa": ["--warmup-passes", "1", "--gate", "none"],
        "oaaplus": ["--from", str(oaa_run), "--start", "trunk"],
        "ecsnet": ["--patience", "0"],
    }
    for name in METHODS:
        more = ["--steps", "4", "--watch-every", "2", "--map-flip", *own.get(name, [])]
        assert train(name, scenes, folder / name, *more) == 0
    return {name: folder / name for name in METHODS}


@pytest.fixture
def source(scenes: Path) -> Source:
    return open_source(scenes)


def finished(folder: Path) -> dict:
    event = events_of(folder)[-1]
    assert event["kind"] == "finished"
    return event


@pytest.mark.parametrize("name", METHODS)
def test_a_run_folder_holds_what_others_look_for(runs: dict[str, Path], name: str):
    more = {"accumulated.json", "cams", "history"} if name == "oaa" else set()
    assert {path.name for path in runs[name].iterdir()} == EVERY_RUN | more
    kinds = [event["kind"] for event in events_of(runs[name])]
    assert kinds[0] == "started"
    assert {"progress", "epoch", "validation", "film", "checkpoint"} <= set(kinds)
    assert finished(runs[name])["weights"] == "weights.safetensors"
    config = json.loads((runs[name] / "config.json").read_text())
    assert config["recipe"] == name
    assert config["settings"]["steps"] == 4


@pytest.mark.parametrize("name", METHODS)
def test_every_image_and_tag_has_a_map_of_0_to_1(runs: dict[str, Path], source: Source, name: str):
    wanted = {
        f"{item.name}/{source.classes[tag]}.png" for item in source.items for tag in item.tags
    }
    maps = runs[name] / "maps"
    assert {str(path.relative_to(maps)) for path in maps.rglob("*.png")} == wanted
    assert finished(runs[name])["maps"] == len(wanted) > 10
    heats = [read_heat(maps / path) for path in wanted]
    assert {heat.shape for heat in heats} == {(12, 12)}
    assert all(0 <= heat.min() <= heat.max() <= 1 for heat in heats)
    assert sum(heat.max() == 1 for heat in heats) > len(heats) / 2


@pytest.mark.parametrize("name", METHODS)
def test_the_weights_load_and_give_the_maps_that_were_exported(
    runs: dict[str, Path], source: Source, name: str
):
    """Each image once as it is and once mirrored, normalised, the larger of both; written plainly.

    Of OAA the network's own maps are in cams: its maps are what was gathered on the way.
    """
    network, card = load(runs[name])
    maps = runs[name] / ("cams" if name == "oaa" else "maps")
    assert card.kind == KINDS[name]
    for item in source.items[:4]:
        pixels = cv2.resize(read_image(item.image), (48, 48), interpolation=cv2.INTER_AREA)
        normal = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        image = torch.from_numpy(normal).permute(2, 0, 1)[None].float()
        columns = [card.index_of(tag) for tag in sorted(item.tags)]
        tags = torch.zeros(1, len(card.classes))
        tags[0, columns] = 1
        with torch.inference_mode():
            plain = network.attend(image, tags).maps[0, columns].numpy()
            mirrored = network.attend(image.flip(3), tags).maps[0, columns].numpy()[:, :, ::-1]
        for tag, *looks in zip(sorted(item.tags), plain, mirrored, strict=True):
            expected = np.zeros((12, 12))
            for raw in looks:
                if raw.max() > 0:
                    expected = np.maximum(expected, np.maximum(raw, 0) / raw.max())
            exported = read_heat(maps / item.name / f"{source.classes[tag]}.png")
            np.testing.assert_allclose(exported, expected, atol=0.5 / 255 + 1e-3)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_knows_where_everything_comes_from(
    runs: dict[str, Path], oaa_run: Path, source: Source, name: str
):
    told = json.loads((runs[name] / "provenance.json").read_text())
    card = load(runs[name])[1]
    assert told["trunk"] == card.origin["trunk"] == {"text": "random"}
    assert told["data"]["images"] == len(source.items)
    assert len(told["data"]["digest"]) == 64
    assert card.origin["data"] == told["data"]
    assert card.origin["seed"] == 0
    assert f"training {name} --data" in card.origin["command"]
    assert card.origin["metrics"] == finished(runs[name])["metrics"]
    if name == "oaaplus":
        assert told["attention"]["run"] == oaa_run.name
        assert told["attention"]["recipe"] == "oaa"
        assert told["attention"]["settings"]["gate"] == "none"
        assert card.origin["attention"] == told["attention"]


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_is_the_sum_of_its_parts(runs: dict[str, Path], name: str):
    steps = [event for event in events_of(runs[name]) if event["kind"] == "progress"]
    losses = next(event["loss"] for event in steps if "loss" in event)
    assert set(losses) == {"total"} | PARTS[name]
    if PARTS[name]:
        assert losses["total"] == pytest.approx(sum(losses[part] for part in PARTS[name]), rel=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_measured_is_in_the_finished_event(runs: dict[str, Path], name: str):
    metrics = finished(runs[name])["metrics"]
    assert 0 <= metrics["miou"] <= 100
    assert 0 <= metrics["threshold"] < 1
    assert metrics["loss"] > 0
    if name == "oaa":
        assert {"cam_miou", "cam_threshold", "never_accumulated"} <= set(metrics)
    (validation, *_) = (e for e in events_of(runs[name]) if e["kind"] == "validation")
    assert validation["images"] == 2
    assert 0 <= validation["tag_accuracy"] <= 1


def test_oaas_maps_are_what_its_history_plays_to(oaa_run: Path, source: Source):
    record = json.loads((oaa_run / "accumulated.json").read_text())
    assert set(record) == {item.name for item in source.items}
    for item in source.items:
        history = read_history(oaa_run / "history" / f"{item.name}.npz")
        assert history.passes == 3
        assert sorted(history.class_ids) == sorted(item.tags)
        for tag, id in enumerate(history.class_ids.tolist()):
            name = source.classes[id]
            passes = int((history.verdict[:, tag] == ACCUMULATED).sum())
            assert record[item.name][name] == passes
            exported = read_heat(oaa_run / "maps" / item.name / f"{name}.png")
            if passes:
                played = history.accumulated("max")[-1, tag]
            else:
                own = read_heat(oaa_run / "cams" / item.name / f"{name}.png")
                played = resize(own[None], exported.shape)[0]
            np.testing.assert_allclose(exported, played, atol=1 / 255)
    assert {n for of_image in record.values() for n in of_image.values()} >= {2}


def test_where_nothing_was_accumulated_the_networks_own_maps_stand_in(runs: dict[str, Path]):
    """Four steps are one pass and a bit; with one pass of warm-up some images had none but that."""
    record = json.loads((runs["oaa"] / "accumulated.json").read_text())
    never = [(i, c) for i, of_image in record.items() for c, n in of_image.items() if n == 0]
    assert never
    assert finished(runs["oaa"])["metrics"]["never_accumulated"] == len(never)
    for image, name in never:
        own, final = (
            read_heat(runs["oaa"] / folder / image / f"{name}.png") for folder in ("cams", "maps")
        )
        np.testing.assert_array_equal(final, own)
    said = [e["text"] for e in events_of(runs["oaa"]) if e["kind"] == "message"]
    assert any(f"{len(never)} of " in text and "never passed the gate" in text for text in said)


def test_a_tag_that_the_gate_refused_has_the_networks_map_beside_one_that_passed():
    """Tag 0 is scored above the stranger, tag 1 never is; the network's map has another grid."""
    gathered = Accumulator([("im", [0, 1], (4, 4)), ("none", [0], (4, 4))], warmup=0)
    seen = np.zeros((3, 4, 4), np.float32)
    seen[:2, 1, 2] = 5.0
    scores = np.array([0.9, 0.1, 0.5], np.float32)
    for epoch in range(3):
        gathered.add("im", View(0, 0, 1, 1, False), seen, scores, epoch)
    own = np.linspace(0, 1, 18, dtype=np.float32).reshape(2, 3, 3)
    maps = final_maps(gathered, "im", own)
    assert gathered.accepted("im").tolist() == [3, 0]
    assert np.argwhere(maps[0]).tolist() == [[1, 2]]
    np.testing.assert_array_equal(maps[1], resize(own, (4, 4))[1])
    np.testing.assert_array_equal(final_maps(gathered, "none", own[:1]), resize(own[:1], (4, 4)))
    np.testing.assert_array_equal(final_maps(gathered, "stranger", own), own)
