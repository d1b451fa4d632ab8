"""torchvision's ImageNet classifiers: found by their files' names, checked, loaded, described."""

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)
from backend.errors import DataError, WeightsError
from backend.gradients import look
from backend.networks import TORCHVISION
from backend.weights import classifiers, save
from backend.weights.backbones import misfit
from backend.weights.classifiers import OFFERED, PREFIX, ClassifierCard, Offer

SMALL = "squeezenet1_1"
Publish = Callable[..., Path]


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Saves a state_dict as torchvision publishes them, digits in its name, as this classifier's
    newest file."""

    def publish(name: str, state: dict[str, torch.Tensor], place: str = "weights") -> Path:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        digits = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
        path = tmp_path / place / f"{name}-{digits}.pth"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(buffer.getvalue())
        offer = OFFERED[name]
        monkeypatch.setitem(OFFERED, name, Offer(offer.stride, (*offer.files[:-1], path.name)))
        return path

    return publish


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return classifiers.build(SMALL).eval()


def test_a_file_becomes_the_network_that_was_saved(
    publish: Publish, network: torch.nn.Module
) -> None:
    path = publish(SMALL, network.state_dict())
    loaded, card = classifiers.load(PREFIX + SMALL, search=[path.parent])
    image = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(loaded(image), network(image))
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert look(loaded, image, [3, 999]).maps("gradcam").shape == (2, 5, 5)
    assert card.path == path


def test_the_card_says_what_an_inspection_reads(publish: Publish, network: torch.nn.Module) -> None:
    path = publish(SMALL, network.state_dict())
    (entry,) = classifiers.available(search=[path.parent])
    card = entry.card()
    assert (entry.name, card.name) == ("torchvision:squeezenet1_1",) * 2
    assert (card.kind, card.backbone, card.stride) == ("classifier", SMALL, 16)
    assert card.normalisation == TORCHVISION
    assert card.input_size == 256
    assert card.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card.origin["text"] == "torchvision's SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert card.index_of(1) is None
    assert [card.classes[i] for i in (0, 207, 999)] == [
        "tench",
        "golden retriever",
        "toilet tissue",
    ]


def test_each_class_has_a_name_of_its_own_whatever_the_case(
    publish: Publish, network: torch.nn.Module
) -> None:
    path = publish(SMALL, network.state_dict())
    names = [name.casefold() for name in classifiers.read_card(PREFIX + SMALL, path).classes]
    assert len(names) == len(set(names)) == 1000
    assert names[264] == "cardigan welsh corgi"
    assert names[474] == "cardigan"


def test_a_classifiers_card_cannot_be_saved_as_weights_of_ours(
    publish: Publish, network: torch.nn.Module, tmp_path: Path
) -> None:
    card = classifiers.read_card(PREFIX + SMALL, publish(SMALL, network.state_dict()))
    with pytest.raises(WeightsError, match="no kind of network 'classifier'"):
        save(tmp_path / "saved.safetensors", network, card)


def test_folders_are_searched_in_order_and_in_each_the_oldest_file_first(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    older, newer = OFFERED["resnet50"].files
    (second / older).touch()
    assert classifiers.find("resnet50", [first, second]) == second / older
    (first / newer).touch()
    assert classifiers.find("resnet50", [first, second]) == first / newer
    (first / older).touch()
    assert classifiers.find("resnet50", [first, second]) == first / older


def test_the_places_are_those_of_initial_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGMASK_WEIGHTS", str(tmp_path / "named"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folders = {
        "resnet18": tmp_path / "named",
        "vgg16": tmp_path / "weights",
        "densenet121": tmp_path / "torch" / "hub" / "checkpoints",
    }
    assert classifiers.available(tmp_path / "data") == []
    for name, folder in folders.items():
        folder.mkdir(parents=True)
        (folder / OFFERED[name].files[0]).touch()
    found = classifiers.available(tmp_path / "data")
    assert {each.name.removeprefix(PREFIX): each.path.parent for each in found} == folders


def test_a_missing_file_is_named_with_where_it_was_looked_for_and_what_fetches_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(WeightsError) as caught:
        classifiers.load("torchvision:resnet50", search=[tmp_path / "a", tmp_path / "b"])
    assert str(caught.value) == (
        "The ImageNet weights of torchvision:resnet50, resnet50-0676ba61.pth or "
        f"resnet50-11ad3fa6.pth, are in none of {tmp_path / 'a'}, {tmp_path / 'b'}; fetch them "
        "with `python -m backend weights fetch torchvision:resnet50`."
    )


@pytest.mark.parametrize("name", ["torchvision:vit_b_16", "resnet50", "torchvision:"])
def test_a_name_that_is_not_offered_is_answered_with_those_that_are(name: str) -> None:
    with pytest.raises(WeightsError, match=rf"'{name}'; there are torchvision:resnet18, "):
        classifiers.load(name)


def test_a_file_that_is_not_what_its_name_says_is_refused(
    publish: Publish, network: torch.nn.Module
) -> None:
    path = publish(SMALL, network.state_dict())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"is damaged: its sha256 should begin with .*fetch tor"):
        classifiers.load(PREFIX + SMALL, search=[path.parent])
    with pytest.raises(WeightsError, match="not among the published files"):
        classifiers.read_card("torchvision:resnet18", path)


def test_weights_of_another_network_are_refused(publish: Publish, network: torch.nn.Module) -> None:
    state = network.state_dict()
    del state["classifier.1.bias"]
    path = publish(SMALL, state)
    with pytest.raises(WeightsError, match=r"does not fit torchvision:.* lacks classifier\.1\.b"):
        classifiers.load(PREFIX + SMALL, search=[path.parent])


def test_files_older_than_the_count_of_batches_load(publish: Publish) -> None:
    torch.manual_seed(0)
    network = classifiers.build("mobilenet_v2").eval()
    state = network.state_dict()
    kept = {key: value for key, value in state.items() if "num_batches" not in key}
    assert len(kept) < len(state)
    path = publish("mobilenet_v2", kept)
    loaded, _ = classifiers.load("torchvision:mobilenet_v2", search=[path.parent])
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(image), network(image))


def test_densenets_file_loads_under_the_names_of_its_time() -> None:
    with torch.device("meta"):
        network = classifiers.build("densenet121")
    today = {key: torch.zeros(value.shape) for key, value in network.state_dict().items()}
    dotted = re.compile(r"(denselayer\d+\.(?:norm|conv))(\d)\.")
    old = {dotted.sub(r"\1.\2.", key): value for key, value in today.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    assert misfit(network, old) is not None
    assert misfit(network, classifiers.modern("densenet121", old)) is None
    assert misfit(network, classifiers.modern("densenet121", today)) is None


@pytest.mark.parametrize("name", OFFERED)
def test_what_is_offered_is_what_torchvision_publishes(name: str) -> None:
    for file in OFFERED[name].files:
        record = classifiers.release(name, file)
        assert record.url.rsplit("/", 1)[-1] == file
        assert len(record.meta["categories"]) == 1000
        assert record.transforms().mean == list(TORCHVISION.mean)
    from torchvision.models import get_model_weights

    published = [w for w in get_model_weights(name) if w.name.startswith("IMAGENET1K_V")]
    assert len(published) == len(OFFERED[name].files)


def test_tags_are_numbered_from_one_in_their_order_each_once() -> None:
    assert classifiers.number_tags(["goose", "crane", "Goose", "tabby"]) == [
        (1, "goose"),
        (2, "crane"),
        (3, "tabby"),
    ]
    assert classifiers.number_tags([]) == []
    assert classifiers.number_tags([str(each) for each in range(254)])[-1] == (254, "253")
    with pytest.raises(DataError, match="at most 254 tags; 255 were given"):
        classifiers.number_tags([str(each) for each in range(255)])


def test_a_card_refuses_label_ids_and_names_that_cannot_be_told_apart() -> None:
    def card(classes: tuple[str, ...], ids: tuple[int, ...]) -> ClassifierCard:
        return ClassifierCard("a", "classifier", SMALL, 16, classes, ids, TORCHVISION, 256)

    assert card(("a", "b"), ()).classes == ("a", "b")
    with pytest.raises(ValueError, match="no label ids"):
        card(("a",), (1,))
    with pytest.raises(ValueError, match="whatever its case"):
        card(("Crane", "crane"), ())
