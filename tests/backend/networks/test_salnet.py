"""SAL-Net: the gate worked out by hand, the branches, and where the two losses arrive."""

import numpy as np
import pytest
import torch
from torch import nn

from backend.networks.salnet import SalNet, gated
from backend.weights import KINDS
from training.losses import attention_loss, selection_loss

IMAGES = torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(0))


def made(**arguments: object) -> SalNet:
    torch.manual_seed(0)
    how = {"channels": 8, "rates": (2, 4), "attention_channels": 4, "head_start": "he"}
    return SalNet("slim", 3, **{**how, **arguments}).eval()


def by_hand(logits: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Eq. 11 as it stands: probabilities times gates, divided by their sum."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    gates = np.concatenate([np.ones((len(scores), 1)), 1 / (1 + np.exp(-scores))], axis=1)
    product = probabilities * gates[:, :, None, None]
    return product / product.sum(axis=1, keepdims=True)


def test_the_gate_multiplies_foreground_probabilities_and_renormalises():
    random = np.random.default_rng(0)
    logits, scores = random.normal(0, 3, (2, 4, 5, 6)), random.normal(0, 3, (2, 3))
    found = gated(torch.from_numpy(logits), torch.from_numpy(scores)).exp().numpy()
    np.testing.assert_allclose(found, by_hand(logits, scores), rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)


def test_a_closed_gate_leaves_the_background_and_an_open_one_changes_nothing():
    logits = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    closed = gated(logits, torch.tensor([[-80.0, 80.0]])).exp()
    assert closed[0, 1].max() < 1e-30
    torch.testing.assert_close(closed[0, [0, 2]], logits[0, [0, 2]].softmax(dim=0))
    torch.testing.assert_close(gated(logits, torch.full((1, 2), 80.0)).exp(), logits.softmax(dim=1))
    torch.testing.assert_close(gated(logits, None).exp(), logits.softmax(dim=1))


def test_gates_that_no_float_can_hold_are_still_numbers():
    logits = torch.tensor([[[[500.0]], [[-500.0]]]], requires_grad=True)
    scores = torch.tensor([[-3000.0]], requires_grad=True)
    values = gated(logits, scores)
    assert values.isfinite().all()
    values[0, 1].sum().backward()
    assert logits.grad.isfinite().all()
    assert scores.grad.item() == pytest.approx(1.0)


def test_segmenting_gives_logarithms_of_the_gated_probabilities():
    network = made()
    seen = network(IMAGES)
    assert seen.segmentation.shape == (2, 4, 12, 10)
    assert seen.scores.shape == (2, 3)
    values = network.segment(IMAGES)
    expected = by_hand(seen.segmentation.detach().numpy(), seen.scores.detach().numpy())
    np.testing.assert_allclose(values.exp().detach().numpy(), expected, rtol=1e-4)
    # As `predict` reads them: the softmax of what is given, and a second one changes nothing.
    torch.testing.assert_close(values.softmax(dim=1), values.exp())


def test_the_loss_and_the_segmenter_mean_the_same_gate():
    network = made()
    seen = network(IMAGES)
    labels = torch.randint(0, 4, (2, 12, 10), generator=torch.Generator().manual_seed(1))
    taught = selection_loss(seen.segmentation, labels, gate=seen.scores)
    picked = network.segment(IMAGES).gather(1, labels[:, None])
    torch.testing.assert_close(taught, -picked.mean())


def test_scores_are_the_branches_sum_or_the_first_and_the_mean_of_the_rest():
    for sums, weights in (("sum", [1, 1, 1, 1]), ("mean", [1, 1 / 3, 1 / 3, 1 / 3])):
        network = made(branch_sum=sums)
        features = network.backbone(IMAGES)
        each = torch.stack([branch(features).mean(dim=(2, 3)) for branch in network.attention])
        expected = (each * torch.tensor(weights)[:, None, None]).sum(dim=0)
        torch.testing.assert_close(network.scores(features), expected)


@pytest.mark.parametrize("rates", [(1,), (1, 3), (1, 3, 6), (1, 3, 6, 9)])
def test_the_branches_of_the_ablation_can_be_built(rates: tuple[int, ...]):
    network = made(attention_rates=rates, branch_sum="mean")
    first = [branch[0] for branch in network.attention]
    assert [(each.kernel_size, each.dilation, each.padding) for each in first] == [
        ((3, 3), (rate, rate), (rate, rate)) for rate in rates
    ]
    assert network(IMAGES).scores.shape == (2, 3)


def test_a_branch_may_classify_by_itself_and_all_may_be_left_out():
    direct = made(attention_channels=0)
    assert [len(branch) for branch in direct.attention] == [1] * 4
    assert direct.attention[0][0].out_channels == 3
    plain = made(attention_rates=())
    assert plain(IMAGES).scores is None
    torch.testing.assert_close(plain.segment(IMAGES), plain(IMAGES).segmentation.log_softmax(dim=1))
    assert not [name for name, _ in plain.named_parameters() if name.startswith("attention")]


def test_a_squeeze_stands_before_all_branches():
    network = made(attention_squeeze=5)
    assert [branch[0].in_channels for branch in network.attention] == [5] * 4
    squeezed = network.squeeze(network.backbone(IMAGES))
    assert squeezed.shape == (2, 5, 12, 10)
    each = [branch(squeezed).mean(dim=(2, 3)) for branch in network.attention]
    torch.testing.assert_close(network(IMAGES).scores, torch.stack(each).sum(dim=0))
    again = KINDS["sal"](**network.settings)
    again.load_state_dict(network.state_dict())
    assert not list(made(attention_squeeze=5, attention_rates=()).squeeze.parameters())


def touched(network: SalNet, loss: torch.Tensor) -> set[str]:
    """Which parts of the network a loss's gradient reaches."""
    network.zero_grad()
    loss.backward()
    named = network.named_parameters()
    return {name.partition(".")[0] for name, p in named if p.grad is not None and p.grad.any()}


def test_gradients_of_both_losses_reach_the_trunk_and_the_gate_hears_of_the_masks():
    network = made()
    labels = torch.ones(2, 12, 10, dtype=torch.long)
    tags = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    seen = network(IMAGES)
    masks = selection_loss(seen.segmentation, labels, gate=seen.scores)
    assert touched(network, masks) == {"backbone", "branches", "attention"}
    seen = network(IMAGES)
    assert touched(network, attention_loss(seen.scores, tags)) == {"backbone", "attention"}


def test_masks_of_weight_0_teach_nothing_and_their_tags_do():
    network = made()
    labels = torch.ones(2, 12, 10, dtype=torch.long)
    seen = network(IMAGES)
    nothing = selection_loss(seen.segmentation, labels, torch.zeros(2), gate=seen.scores)
    assert nothing.item() == 0
    assert touched(network, nothing) == set()
    # One of two: as if the other were not there.
    seen, alone = network(IMAGES), network(IMAGES[:1])
    one = selection_loss(seen.segmentation, labels, torch.tensor([1.0, 0.0]), gate=seen.scores)
    only = selection_loss(alone.segmentation, labels[:1], gate=alone.scores)
    torch.testing.assert_close(one, only)
    assert touched(network, attention_loss(seen.scores, torch.ones(2, 3))) == {
        "backbone",
        "attention",
    }


def test_the_papers_networks_have_the_papers_layers():
    with torch.device("meta"):
        vgg, resnet = SalNet("vgg16", 20), SalNet("resnet101", 20, channels=0)
    assert [branch[0].dilation[0] for branch in vgg.branches] == [6, 12, 18, 24]
    assert [branch[0].dilation[0] for branch in resnet.attention] == [1, 3, 6, 9]
    assert vgg.attention[0][0].in_channels == 512
    assert isinstance(vgg.pool, nn.MaxPool2d)


def test_settings_build_the_same_network_again():
    network = made(attention_rates=(1, 3), branch_sum="mean")
    again = KINDS["sal"](**network.settings)
    again.load_state_dict(network.state_dict())
    torch.testing.assert_close(again.eval().segment(IMAGES), network.segment(IMAGES))
    assert again.settings == network.settings


def test_mistakes_are_sentences():
    with pytest.raises(ValueError, match="branch_sum is 'max'; it can be sum, mean"):
        made(branch_sum="max")
    with pytest.raises(ValueError, match="Dilations are whole numbers from 1 on"):
        made(attention_rates=(1, 0))


@pytest.mark.parametrize("rate", [1, 3, 9, 20])
def test_a_branch_of_one_layer_is_pooled_without_its_map(rate: int):
    """The mean of its map, and the gradient of that, by way of the means under its taps."""
    torch.manual_seed(0)
    network = SalNet("slim", 5, attention_rates=(rate,), attention_channels=0, channels=8)
    (branch,) = network.attention
    torch.nn.init.normal_(branch[0].bias)
    shape = (2, network.backbone.channels, 6, 11)
    features = torch.randn(shape).to(memory_format=torch.channels_last).requires_grad_()
    plain = branch(features).mean(dim=(2, 3))
    (wanted,) = torch.autograd.grad(plain.square().sum(), features)
    scores = network.scores(features)
    assert scores is not None
    (found,) = torch.autograd.grad(scores.square().sum(), features)
    torch.testing.assert_close(scores, plain)
    torch.testing.assert_close(found, wanted)
