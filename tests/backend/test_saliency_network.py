"""A trained network as a source of saliency: found, checked, loaded once, shared by threads."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from backend import saliency_network
from backend.errors import SaliencyError
from backend.networks.classifier import CamClassifier
from backend.saliency import saliency_source
from backend.saliency_network import NetworkDetector, card_of, look, network_detector
from backend.weights import load, networks, save

ROOT = Path(__file__).resolve().parents[2]


def picture(height: int = 40, width: int = 64) -> np.ndarray:
    small = np.random.default_rng(3).integers(0, 255, (5, 8, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def test_a_source_gives_a_map_of_the_images_size_and_says_whose_it_is(
    saliency_weights: Path,
) -> None:
    source = saliency_source(f"network:{saliency_weights}")
    heat = source(picture())
    assert heat.shape == (40, 64)
    assert heat.dtype == np.float32
    assert 0 <= heat.min() < heat.max() <= 1
    digest = sha256(saliency_weights.read_bytes()).hexdigest()
    assert source.digest == digest
    assert source.name == f"network:{saliency_weights}"
    assert source.short_name == f"network:sal.safetensors ({digest[:8]})"
    assert digest in source.origin
    assert "for a test" in source.origin
    assert source.missing(["any"]) == []


def test_a_runs_folder_and_a_shipped_name_stand_for_their_weights(
    saliency_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "weights.safetensors").write_bytes(saliency_weights.read_bytes())
    heat = saliency_source(f"network:{saliency_weights}")(picture())
    assert np.array_equal(saliency_source(f"network:{run}")(picture()), heat)
    entry = {"name": "sal", "file": "sal.safetensors", "backbone": "slim"}
    entry["sha256"] = sha256(saliency_weights.read_bytes()).hexdigest()
    monkeypatch.setattr(networks, "WEIGHTS_FOLDER", tmp_path)
    monkeypatch.setattr(networks, "manifest_entries", lambda: [entry])
    assert np.array_equal(saliency_source("network:sal")(picture()), heat)
    assert [card.name for card in saliency_network.shipped_cards()] == ["sal"]
    saliency_weights.write_bytes(saliency_weights.read_bytes()[:-1] + b"\x00")
    with pytest.raises(SaliencyError, match="not the ones the manifest names"):
        saliency_source("network:sal")


def test_a_look_is_the_mean_over_sizes_and_mirror_images(saliency_weights: Path) -> None:
    network, card = load(saliency_weights)
    image = picture(48, 48)

    def plain(pixels: np.ndarray, side: int) -> np.ndarray:
        small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR)
        with torch.no_grad():
            seen = network.saliency(card.normalisation.tensor(small)[None])
        return cv2.resize(seen[0, 0].numpy(), (48, 48), interpolation=cv2.INTER_LINEAR)

    mirrored = np.ascontiguousarray(image[:, ::-1])
    expected = np.mean(
        [f for s in (48, 64) for f in (plain(image, s), plain(mirrored, s)[:, ::-1])], axis=0
    )
    found = look(network, card.normalisation, image, 48, scales=(1.0, 64 / 48), flip=True)
    assert found == pytest.approx(expected, abs=2e-4)
    once = look(network, card.normalisation, image, 48)
    assert once == pytest.approx(plain(image, 48), abs=2e-4)
    assert np.abs(once - found).max() > 1e-3


def test_the_detector_looks_as_the_weights_say(saliency_weights: Path) -> None:
    network, card = load(saliency_weights)
    expected = look(network, card.normalisation, picture(), 48, scales=(1.0,), flip=True)
    assert np.array_equal(saliency_source(f"network:{saliency_weights}")(picture()), expected)


@pytest.mark.parametrize("shape", [(8, 8), (5, 400), (600, 9)])
def test_every_shape_gives_a_map_of_its_shape(
    saliency_weights: Path, shape: tuple[int, int]
) -> None:
    heat = saliency_source(f"network:{saliency_weights}")(np.zeros((*shape, 3), np.uint8))
    assert heat.shape == shape
    assert np.isfinite(heat).all()


def test_weights_are_loaded_once_whoever_asks(
    saliency_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []
    real = saliency_network.load
    monkeypatch.setattr(
        saliency_network, "load", lambda *given: loaded.append(given) or real(*given)
    )
    detector = NetworkDetector(card_of(saliency_weights))
    assert loaded == []
    images = [picture(40, 40 + number) for number in range(12)]
    expected = [NetworkDetector(card_of(saliency_weights))(image) for image in images]
    del loaded[:]
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(detector, images))
    assert len(loaded) == 1
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)
    first = saliency_source(f"network:{saliency_weights}").detector
    assert first is saliency_source(f"network:{saliency_weights}").detector


def test_no_more_networks_stay_loaded_than_are_worth_it(saliency_weights: Path) -> None:
    card = card_of(saliency_weights)
    kept = [network_detector(replace(card, digest=str(number))) for number in range(9)]
    assert network_detector(replace(card, digest="8")) is kept[8]
    assert network_detector(replace(card, digest="0")) is not kept[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no weights at"), (b"", "is empty"), (b"<html>" * 99, "not what its name says")],
)
def test_missing_and_damaged_weights_are_sentences(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "gone.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SaliencyError, match=words):
        saliency_source(f"network:{path}")


def test_weights_damaged_behind_their_header_are_a_sentence(saliency_weights: Path) -> None:
    network, card = load(saliency_weights)
    broken = network.state_dict()
    broken["fuse.bias"] = torch.full((1,), torch.nan)
    network.load_state_dict(broken)
    save(saliency_weights, network, card)
    source = saliency_source(f"network:{saliency_weights}")
    with pytest.raises(SaliencyError, match=r"cannot be used\. .*not numbers"):
        source(picture())


def test_weights_of_another_kind_are_refused_with_what_gives_saliency(tmp_path: Path) -> None:
    network = CamClassifier("slim", 1, head_channels=4, head_layers=0)
    card = replace(
        card_of_kind(tmp_path), kind="cam", classes=("cat",), class_ids=(1,),
        architecture=network.settings,
    )  # fmt: skip
    save(tmp_path / "cam.safetensors", network, card)
    with pytest.raises(SaliencyError, match=r"kind 'cam'.*python -m training saliency"):
        saliency_source(f"network:{tmp_path / 'cam.safetensors'}")


def card_of_kind(tmp_path: Path):
    from backend.networks import CAFFE
    from backend.weights import WeightsCard

    return WeightsCard("x", "saliency", "slim", 4, (), (), CAFFE, 48)


def test_weights_that_change_after_they_were_chosen_are_not_used(saliency_weights: Path) -> None:
    source = saliency_source(f"network:{saliency_weights}")
    network, card = load(saliency_weights)
    with torch.no_grad():
        network.fuse.bias += 1
    save(saliency_weights, network, card)
    with pytest.raises(SaliencyError, match="was changed after it was chosen"):
        source(picture())
    assert saliency_source(f"network:{saliency_weights}")(picture()).mean() > 0


def test_neither_the_trainer_nor_a_network_is_loaded_for_other_sources() -> None:
    code = (
        "import sys, backend.saliency as s; s.saliency_source('classical')\n"
        "assert 'torch' not in sys.modules\n"
        "import backend.saliency_network\n"
        "assert not [name for name in sys.modules if name.startswith('training')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
