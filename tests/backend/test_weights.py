"""Weights files: what is saved comes back, what does not fit or could run code is refused."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backend import weights
from backend.errors import WeightsError
from backend.networks import CAFFE, TORCHVISION, CamClassifier, build_backbone
from backend.weights import WeightsCard, backbones, networks

SETTINGS = {"head_channels": 8, "head_layers": 1}


@pytest.fixture
def network() -> CamClassifier:
    torch.manual_seed(0)
    return CamClassifier("slim", 2, **SETTINGS).eval()


@pytest.fixture
def card(network: CamClassifier) -> WeightsCard:
    return WeightsCard(
        name="pets",
        kind="cam",
        backbone="slim",
        stride=4,
        classes=("cat", "dog"),
        class_ids=(8, 12),
        normalisation=CAFFE,
        input_size=96,
        origin={"command": "python -m training classify", "seed": 0},
        architecture=network.settings,
    )


@pytest.fixture
def saved(tmp_path: Path, network: CamClassifier, card: WeightsCard) -> Path:
    weights.save(tmp_path / "pets.safetensors", network, card)
    return tmp_path / "pets.safetensors"


@pytest.fixture
def shipping(
    tmp_path: Path, saved: Path, card: WeightsCard, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A shipped folder of its own with these weights under the name pets."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    shutil.copy(saved, folder / "pets.safetensors")
    entry = {
        "name": "pets",
        "file": "pets.safetensors",
        "sha256": weights.read_card(saved).digest,
        "backbone": "slim",
    }
    manifest = {"format": networks.MANIFEST_FORMAT, "weights": [entry]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(networks, "WEIGHTS_FOLDER", folder)
    return folder


def test_a_saved_network_answers_the_same_after_loading(
    saved: Path, network: CamClassifier, card: WeightsCard
) -> None:
    loaded, read = weights.load(saved)
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(loaded(images).maps, network(images).maps)
    assert not loaded.training
    assert replace(read, digest="", path=None) == card


def test_the_digest_is_the_sha256_of_the_file(saved: Path) -> None:
    import hashlib

    assert weights.read_card(saved).digest == hashlib.sha256(saved.read_bytes()).hexdigest()


def test_a_run_folder_stands_for_the_weights_in_it(saved: Path) -> None:
    saved.rename(saved.parent / "weights.safetensors")
    assert weights.load(saved.parent)[1].name == "pets"


def test_saving_leaves_no_partial_file_behind(saved: Path) -> None:
    assert [path.name for path in saved.parent.iterdir()] == ["pets.safetensors"]


def test_a_failed_save_keeps_the_earlier_file(
    saved: Path, network: CamClassifier, card: WeightsCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights.files, "save_file", full)
    with pytest.raises(WeightsError, match="No space left"):
        weights.save(saved, network, card)
    assert saved.read_bytes() == before


@pytest.mark.parametrize("kept", [0, 5, 1000, -7])
def test_a_cut_file_is_refused_in_a_sentence(saved: Path, kept: int) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"is empty|cut off"):
        weights.load(saved)


@pytest.mark.parametrize("name", ["a.safetensors", "a.npz", "a.pth"])
def test_a_foreign_file_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>not found</html>" * 50)
    with pytest.raises(WeightsError, match="not what its name says"):
        weights.files.tensors(tmp_path / name)


class Bomb:
    """Pickled, it would make a file when opened."""

    def __reduce__(self) -> tuple:
        return (open, ("exploded", "w"))


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": Bomb()}, "vgg16.pth")
    np.savez("vgg16.npz", array=np.array([Bomb()], dtype=object))
    Path("old.pth").write_bytes(pickle.dumps(Bomb(), protocol=2))
    for name in ("vgg16.pth", "vgg16.npz", "old.pth"):
        with pytest.raises(WeightsError, match="more than tensors"):
            weights.files.tensors(Path(name))
    assert not Path("exploded").exists()


def test_a_checkpoint_with_other_things_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "weight": torch.zeros(1)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="does not hold tensors alone"):
        weights.files.tensors(tmp_path / "a.pth")


def rewritten(path: Path, fields: dict, **tensors: torch.Tensor) -> Path:
    named = weights.files.tensors(path)
    header = weights.files.metadata(path)
    text = json.dumps(json.loads(header["tagmask"]) | fields)
    save_file({**named, **tensors}, path, {"tagmask": text})
    return path


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": "other/1"}, "not of the format"),
        ({"kind": "hologram"}, "kind 'hologram'; known here are cam"),
        ({"classes": ["cat"], "class_ids": [8]}, "names 1 classes, but its network has 2"),
        ({"class_ids": [8]}, "an id for each class"),
        ({"class_ids": [8, 8]}, "each class id once"),
        ({"class_ids": [0, 1]}, "1 to 254"),
        ({"architecture": {"backbone_name": "vgg99", "num_classes": 2}}, "no backbone 'vgg99'"),
        ({"architecture": {"legs": 4}}, "cannot be built"),
        ({"normalisation": {"order": "rgb"}}, "normalisation has"),
        ({"input_size": None}, "lacks or misstates"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(saved: Path, fields: dict, words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        weights.load(rewritten(saved, fields))


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("head.0.bias", torch.zeros(9), r"head.0.bias is \(9,\) in the file and \(8,\)"),
        ("head.0.bias", torch.full((8,), torch.nan), "not numbers"),
        ("spare", torch.zeros(1), "spare has no place"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    saved: Path, name: str, tensor: torch.Tensor, words: str
) -> None:
    with pytest.raises(WeightsError, match=words):
        weights.load(rewritten(saved, {}, **{name: tensor}))


def test_a_file_without_a_card_is_refused_as_a_network(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="no card"):
        weights.load(tmp_path / "a.safetensors")


def test_what_is_not_there_is_named_with_what_is(shipping: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights at dogs;.*\(pets\)"):
        weights.load("dogs")


def test_shipped_weights_load_by_name(shipping: Path) -> None:
    assert [card.name for card in weights.shipped()] == ["pets"]
    assert weights.load("pets")[1].path == shipping / "pets.safetensors"


def test_altered_shipped_weights_are_refused(shipping: Path) -> None:
    path = shipping / "pets.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(WeightsError, match="damaged"):
        weights.load("pets")


def test_every_weight_in_the_release_is_small_and_says_how_it_was_made() -> None:
    entries = networks.manifest_entries()
    if not entries:
        pytest.skip("no weights are shipped yet")
    for entry in entries:
        assert (networks.WEIGHTS_FOLDER / entry["file"]).stat().st_size < 5_000_000
        assert entry["command"].startswith("python -m training ")
        assert isinstance(entry["seed"], int)
        assert entry["metrics"]
        network, card = weights.load(entry["name"])
        assert card.backbone == entry["backbone"]
        image = torch.zeros(1, 3, card.input_size, card.input_size)
        if card.kind == "saliency":
            assert network.saliency(image).shape[:2] == (1, 1)
            assert card.origin["masks"]["left_out"]
            continue
        assert network(image).scores.shape == (1, len(card.classes))


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "x"}'])
def test_a_damaged_manifest_is_a_sentence(shipping: Path, text: str) -> None:
    (shipping / "manifest.json").write_text(text)
    with pytest.raises(WeightsError, match=r"manifest\.json is not"):
        weights.shipped()


def trunk(path: Path, name: str = "slim", **extra: torch.Tensor) -> Path:
    """A backbone's own random weights as a file."""
    torch.manual_seed(1)
    named = {**build_backbone(name).state_dict(), **extra}
    if path.suffix == ".npz":
        np.savez(path, **{key: value.numpy() for key, value in named.items()})
    else:
        torch.save(named, path)
    return path


def beside(path: Path, normalisation: object) -> None:
    text = json.dumps({"normalisation": normalisation, "origin": "made by hand"})
    path.with_name(path.name + ".json").write_text(text)


@pytest.mark.parametrize("name", ["slim-a.npz", "slim-a.pth"])
def test_a_local_trunk_loads_with_the_normalisation_written_beside_it(
    tmp_path: Path, name: str
) -> None:
    path = trunk(tmp_path / name)
    beside(path, "caffe")
    found = weights.backbone_weights("slim", path)
    assert found is not None
    assert (found.normalisation, found.origin["text"]) == (CAFFE, "made by hand")
    module = build_backbone("slim")
    weights.load_backbone(module, found)
    wanted = weights.files.tensors(path)
    assert all(torch.equal(v, wanted[k]) for k, v in module.state_dict().items() if "num" not in k)


def test_a_file_that_does_not_say_its_normalisation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"Nothing says how images are normalised"):
        weights.backbone_weights("slim", trunk(tmp_path / "slim.npz"))


def test_the_weights_of_another_backbone_are_refused(tmp_path: Path) -> None:
    path = trunk(tmp_path / "slim.npz")
    with pytest.raises(WeightsError, match=r"does not fit squeezenet1_1: it lacks features\.0"):
        weights.backbone_weights("squeezenet1_1", path)


def test_a_published_classifier_beside_the_trunk_is_left_out(tmp_path: Path) -> None:
    path = trunk(tmp_path / "slim.npz", **{"classifier.1.weight": torch.zeros(2)})
    beside(path, TORCHVISION.to_json())
    found = weights.backbone_weights("slim", path)
    assert found is not None
    assert found.normalisation == TORCHVISION


def test_none_asks_for_random_weights() -> None:
    assert weights.backbone_weights("vgg16", "none", search=[]) is None


def test_finding_nothing_is_a_sentence_and_never_random(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"No initial weights for vgg16.*--weights none"):
        weights.backbone_weights("vgg16", search=[tmp_path])


def test_shipped_weights_come_before_folders(shipping: Path, tmp_path: Path) -> None:
    beside(trunk(tmp_path / "slim.npz"), "caffe")
    found = weights.backbone_weights("slim", search=[tmp_path])
    assert found is not None
    assert found.path == shipping / "pets.safetensors"
    assert found.origin["source"] == "pets"
    weights.load_backbone(build_backbone("slim"), found)


def test_folders_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "set" / "msrc"
    for folder in (tmp_path / "mine", tmp_path / "set" / "weights", data):
        folder.mkdir(parents=True)
    monkeypatch.setenv("TAGMASK_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    assert weights.search_folders(data) == (
        tmp_path / "mine",
        tmp_path / "set" / "weights",
        tmp_path / "torch" / "hub" / "checkpoints",
    )
    monkeypatch.setattr(backbones, "manifest_entries", list)
    for folder, kind in (
        (tmp_path / "mine", "caffe"),
        (tmp_path / "set" / "weights", "torchvision"),
    ):
        beside(trunk(folder / "slim.npz"), kind)
    found = weights.backbone_weights("slim", data=data)
    assert found is not None
    assert found.path == tmp_path / "mine" / "slim.npz"


def test_a_name_that_only_begins_alike_is_not_taken(tmp_path: Path) -> None:
    for name in ("vgg16_bn-6c64b313.pth", "vgg161.pth", "vgg16.txt", "resnet50.pth"):
        (tmp_path / name).touch()
    for name in ("vgg16-397923af.pth", "vgg16.npz"):
        (tmp_path / name).touch()
    names = [path.name for path in backbones.files_for("vgg16", tmp_path)]
    assert names == ["vgg16-397923af.pth", "vgg16.npz"]


def test_the_caffe_squeezenet_is_known_to_be_bgr(shared_data: Path) -> None:
    found = weights.backbone_weights("squeezenet1_1", search=[shared_data / "weights"])
    assert found is not None
    assert found.normalisation == CAFFE
    module = build_backbone("squeezenet1_1")
    weights.load_backbone(module, found)
    with np.load(found.path) as arrays:
        first = torch.from_numpy(arrays["features.0.weight"])
    assert torch.equal(module.state_dict()["features.0.weight"], first)
