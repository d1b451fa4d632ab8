"""The scoring network: Table I of SAL at its own size, a score that learns, weights that load."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from backend.errors import WeightsError
from backend.mask_scorer import MaskScorer, card_of, network_input, squashed_mask
from backend.networks.gdn import GDN
from backend.networks.normalisation import TORCHVISION
from backend.networks.scorer import STRIDE, ScorerNetwork
from backend.weights import WeightsCard, save


def test_the_layers_are_those_of_table_1():
    with torch.device("meta"):
        network = ScorerNetwork()
        shapes = {}
        for name, layer in network.named_children():
            layer.register_forward_hook(
                lambda layer, given, out, name=name: shapes.update({name: tuple(out.shape[1:])})
            )
        assert network(torch.empty(2, 4, 256, 256)).shape == (2,)
    assert shapes == {
        "layer1": (128, 256, 256),
        "layer2": (192, 256, 256),
        "layer3": (192, 128, 128),
        "layer4": (192, 128, 128),
        "layer5": (192, 64, 64),
        "layer6": (192, 64, 64),
        "layer7": (192, 32, 32),
        "layer8": (128,),
        "norm8": (128,),
        "layer9": (1,),
    }
    assert 256 // STRIDE == 32
    skips = {name: type(getattr(network, name).skip) for name in ("layer2", "layer4", "layer6")}
    assert skips == {"layer2": nn.Conv2d, "layer4": nn.Identity, "layer6": nn.Identity}
    assert network.layer2.skip.weight.shape == (192, 128, 1, 1)
    assert sum(isinstance(layer, GDN) for layer in network.modules()) == 4


def test_gradients_reach_every_layer_even_of_scores_below_zero():
    torch.manual_seed(0)
    network = ScorerNetwork(4, 6)
    nn.init.constant_(network.layer9.bias, -3.0)
    seen = network.score(torch.randn(2, 3, 24, 24), torch.rand(2, 1, 24, 24) > 0.5)
    assert bool((seen < 0).all())
    (seen - 0.7).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool((parameter.grad != 0).any()), name


def test_it_learns_a_score_that_only_the_mask_tells():
    torch.manual_seed(0)
    network = ScorerNetwork(8, 8)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    images = torch.randn(8, 3, 16, 16)
    masks = torch.zeros(8, 1, 16, 16)
    for number in range(8):
        masks[number, :, : 2 * number] = 1
    wanted = torch.arange(8) / 8
    for _ in range(60):
        optimiser.zero_grad()
        loss = (network.score(images, masks) - wanted).square().mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.01


def test_scores_are_as_fine_as_float32_even_where_layers_are_not():
    torch.manual_seed(0)
    network = ScorerNetwork(4, 6).eval()
    inputs = torch.randn(64, 4, 16, 16)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = network(inputs)
    assert found.dtype == torch.float32
    assert len(set(found.tolist())) == 64
    with torch.no_grad():
        assert torch.allclose(found, network(inputs), atol=0.02)


def test_a_network_without_channels_is_refused():
    with pytest.raises(ValueError, match="at least one channel, not 0 and 6"):
        ScorerNetwork(0, 6)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    network = ScorerNetwork(4, 6)
    nn.init.normal_(network.layer9.weight, std=3.0)
    card = WeightsCard(
        name="small", kind="scorer", backbone="none", stride=STRIDE, classes=(), class_ids=(),
        normalisation=TORCHVISION, input_size=24, architecture=network.settings,
    )  # fmt: skip
    (tmp_path / "run").mkdir()
    save(tmp_path / "run" / "weights.safetensors", network, card)
    return tmp_path / "run"


def pairs(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(0)
    sizes = [(30 + 3 * number, 50 - number) for number in range(count)]
    return [
        (random.integers(0, 256, (*size, 3), dtype=np.uint8),
         random.choice(np.array([0, 7, 255], np.uint8), size))
        for size in sizes
    ]  # fmt: skip


def test_scores_are_the_clamped_outputs_whatever_the_batch(weights: Path):
    scorer = MaskScorer(card_of(weights))
    given = pairs(7)
    one = list(scorer.scores(given, batch=1))
    assert one == pytest.approx(list(scorer.scores(iter(given), batch=3)), abs=1e-5)
    raw = []
    for image, labels in given:
        seen = torch.from_numpy(network_input(image, labels, 24)).permute(2, 0, 1)[None]
        with torch.no_grad():
            raw.append(scorer.network.score(TORCHVISION.batch(seen[:, :3]), seen[:, 3:]).item())
    assert one == pytest.approx(np.clip(raw, 0, 1).tolist(), abs=1e-5)
    assert min(raw) < 0 or max(raw) > 1
    assert 0 <= min(one) <= max(one) <= 1


def test_a_scorer_opens_by_run_and_by_file_and_notices_other_weights(weights: Path):
    by_file = weights / "weights.safetensors"
    assert card_of(weights).digest == card_of(by_file).digest
    assert MaskScorer(card_of(by_file)).size == 24
    card = card_of(weights)
    network = ScorerNetwork(4, 6)
    save(by_file, network, card)
    with pytest.raises(WeightsError, match="was changed after it was chosen"):
        MaskScorer(card)


def test_other_weights_and_none_are_sentences(tmp_path: Path):
    from backend.networks.affinity import AffinityNet

    network = AffinityNet("slim")
    card = WeightsCard(
        name="a", kind="affinity", backbone="slim", stride=8, classes=(), class_ids=(),
        normalisation=TORCHVISION, input_size=32, architecture=network.settings,
    )  # fmt: skip
    save(tmp_path / "a.safetensors", network, card)
    with pytest.raises(WeightsError, match="of the kind 'affinity', which scores no masks"):
        card_of(tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="There are no weights at"):
        card_of(tmp_path / "b.safetensors")


def test_a_mask_keeps_its_share_and_ignored_pixels_are_no_foreground():
    labels = np.zeros((40, 80), np.uint8)
    labels[:20] = 3
    labels[30:] = 255
    small = squashed_mask(labels, 16)
    assert small.dtype == np.bool_
    assert small[:8].all()
    assert not small[8:].any()
    assert (squashed_mask(labels == 3, 16) == small).all()
