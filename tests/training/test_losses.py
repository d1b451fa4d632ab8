"""The losses against values by hand, plain loops, and numerical gradients."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training.losses import (
    attention_loss,
    constrain_loss,
    expand_loss,
    hybrid_loss,
    multilabel_loss,
    seed_loss,
    selection_loss,
)

N, C, H, W = 2, 3, 3, 4


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _logits(generator: torch.Generator, scale: float = 1.0) -> Tensor:
    noise = torch.randn(N, C, H, W, generator=generator, dtype=torch.float64)
    return (scale * noise).requires_grad_()


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _sparse_attention(generator: torch.Generator) -> Tensor:
    attention = torch.rand(N, C, H, W, generator=generator, dtype=torch.float64)
    attention[attention < 0.5] = 0
    attention[0, 1] = 0
    attention[1, 2] = attention[1, 2].clamp(min=0.1)
    return attention


def _one_hot(labels: Tensor) -> Tensor:
    return F.one_hot(labels, C).movedim(-1, 1)


# --- OAA+ --------------------------------------------------------------------------------------


def test_hybrid_loss_by_hand():
    logits = torch.tensor([[[[2.0, -1.0, 0.5, -3.0]]]])
    target = torch.tensor([[[[1.0, 0.5, 0.0, 0.0]]]])
    positive = -(math.log(_sigmoid(2)) + 0.5 * math.log(_sigmoid(-1))) / 2
    negative = -(math.log(1 - _sigmoid(0.5)) + math.log(1 - _sigmoid(-3))) / 2
    assert hybrid_loss(logits, target).item() == pytest.approx(positive + negative, rel=1e-5)


def _hybrid_by_loop(logits: Tensor, target: Tensor, joint: bool, above: float = 0.0) -> float:
    total = 0.0
    for n in range(N):
        for classes in [range(C)] if joint else [[c] for c in range(C)]:
            positive, negative = [], []
            for c in classes:
                for score, p in zip(
                    logits[n, c].flatten().tolist(), target[n, c].flatten().tolist(), strict=True
                ):
                    if p > above:
                        positive.append(-p * math.log(_sigmoid(score)))
                    else:
                        negative.append(-math.log(1 - _sigmoid(score)))
            total += sum(sum(costs) / len(costs) for costs in (positive, negative) if costs)
    return total / N


@pytest.mark.parametrize(("per", "joint"), [("class", False), ("channels", True)])
@pytest.mark.parametrize("above", [0.0, 0.7])
def test_hybrid_loss_follows_equation_9_and_the_released_code(generator, per, joint, above):
    logits, target = _logits(generator), _sparse_attention(generator)
    expected = _hybrid_by_loop(logits, target, joint, above)
    assert hybrid_loss(logits, target, per, above).item() == pytest.approx(expected)


def test_by_default_the_sets_are_those_of_one_class():
    logits = torch.zeros(1, 2, 1, 4)
    target = torch.zeros(1, 2, 1, 4)
    target[0, 0, 0, 0] = 1
    log2 = math.log(2)
    assert hybrid_loss(logits, target).item() == pytest.approx(3 * log2)
    assert hybrid_loss(logits, target, per="channels").item() == pytest.approx(2 * log2)


def test_absent_classes_are_only_held_down():
    logits = torch.zeros(1, 1, 2, 2, requires_grad=True)
    hybrid_loss(logits, torch.zeros(1, 1, 2, 2)).backward()
    assert (logits.grad > 0).all()


def test_a_weakly_attended_pixel_is_raised_by_hybrid_and_lowered_by_plain_cross_entropy():
    target = torch.tensor([[[[0.2, 0.0]]]])
    for loss, sign in ((hybrid_loss, -1), (multilabel_loss, 1)):
        logits = torch.zeros(1, 1, 1, 2, requires_grad=True)
        loss(logits, target).backward()
        assert logits.grad[0, 0, 0, 0].sign().item() == sign
        assert logits.grad[0, 0, 0, 1] > 0


def test_multilabel_loss_is_the_mean_cross_entropy_of_each_class_summed(generator):
    logits, target = _logits(generator), _sparse_attention(generator)
    cost = -(target * torch.sigmoid(logits).log() + (1 - target) * torch.sigmoid(-logits).log())
    expected = sum(cost[:, c].mean() for c in range(C))
    torch.testing.assert_close(multilabel_loss(logits, target), expected)
    torch.testing.assert_close(multilabel_loss(logits, target, per="channels"), cost.mean())


@pytest.mark.parametrize("loss", [hybrid_loss, multilabel_loss])
def test_an_unknown_way_of_averaging_is_refused(loss):
    with pytest.raises(ValueError, match="per must be 'class' or 'channels', but is 'pixel'"):
        loss(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), per="pixel")


# --- SAL ---------------------------------------------------------------------------------------


def test_selection_loss_is_the_mean_cost_of_the_labelled_pixels_of_selected_images():
    logits = torch.tensor([[[[1.0, 0.0, 5.0]], [[0.0, 2.0, 5.0]]], [[[9.0] * 3], [[0.0] * 3]]])
    labels = torch.tensor([[[0, 1, 255]], [[1, 1, 1]]])
    costs = [math.log(1 + math.exp(-1)), math.log(1 + math.exp(-2))]
    chosen = selection_loss(logits, labels, torch.tensor([1, 0]))
    assert chosen.item() == pytest.approx(sum(costs) / 2)
    other = math.log(1 + math.exp(9))
    everything = selection_loss(logits, labels)
    assert everything.item() == pytest.approx((sum(costs) + 3 * other) / 5)


def test_weights_count_as_so_many_copies_of_an_image(generator):
    logits = _logits(generator)
    labels = torch.randint(0, C, (N, H, W), generator=generator)
    weighted = selection_loss(logits, labels, torch.tensor([2.0, 1.0]))
    copied = selection_loss(logits[[0, 0, 1]], labels[[0, 0, 1]])
    torch.testing.assert_close(weighted, copied)


def test_the_gate_multiplies_foreground_probabilities_and_renormalises(generator):
    logits = _logits(generator)
    labels = torch.randint(0, C, (N, H, W), generator=generator)
    gate = torch.randn(N, C - 1, generator=generator, dtype=torch.float64)
    opened = torch.cat([torch.ones(N, 1), torch.sigmoid(gate)], dim=1)[:, :, None, None]
    refined = logits.softmax(1) * opened
    refined = refined / refined.sum(1, keepdim=True)
    expected = -refined.log().gather(1, labels[:, None]).mean()
    torch.testing.assert_close(selection_loss(logits, labels, gate=gate), expected)
    torch.testing.assert_close(
        selection_loss(logits, labels, gate=gate[:, :, None, None]), expected
    )


def test_an_open_gate_changes_nothing_and_a_closed_one_leaves_the_background():
    logits = torch.randn(1, 3, 2, 2)
    labels = torch.zeros(1, 2, 2, dtype=torch.uint8)
    plain = selection_loss(logits, labels)
    torch.testing.assert_close(selection_loss(logits, labels, gate=torch.full((1, 2), 80.0)), plain)
    closed = selection_loss(logits, labels, gate=torch.full((1, 2), -80.0))
    assert closed.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("weights", [None, torch.zeros(2)])
def test_nothing_selected_costs_nothing_and_still_has_a_gradient(weights):
    logits = torch.randn(2, 3, 2, 2, requires_grad=True)
    labels = torch.full((2, 2, 2), 255 if weights is None else 1)
    loss = selection_loss(logits, labels, weights)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_attention_loss_punishes_absent_classes_too():
    tags = torch.tensor([[1, 0]])
    loss = attention_loss(torch.tensor([[2.0, 1.0]]), tags)
    expected = -(math.log(_sigmoid(2)) + math.log(1 - _sigmoid(1))) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-6)
    everything_high = attention_loss(torch.full((1, 2), 50.0), tags)
    assert everything_high.item() == pytest.approx(25)
    maps = torch.tensor([[2.0, 1.0]])[:, :, None, None]
    torch.testing.assert_close(attention_loss(maps, tags), loss)


# --- SEC and DSRG ------------------------------------------------------------------------------


def _seeds(generator: torch.Generator) -> Tensor:
    seeds = _one_hot(torch.randint(0, C, (N, H, W), generator=generator))
    seeds[:, :, :, 0] = 0
    return seeds


def test_seed_loss_averages_over_an_images_seeds(generator):
    logits, seeds = _logits(generator), _seeds(generator)
    log_probabilities = logits.log_softmax(1)
    expected = -torch.stack(
        [(log_probabilities[n] * seeds[n]).sum() / seeds[n].sum() for n in range(N)]
    ).mean()
    torch.testing.assert_close(seed_loss(logits, seeds), expected)


def test_balanced_seed_loss_averages_background_and_foreground_apart():
    logits = torch.zeros(1, 3, 1, 4)
    logits[0, 1, 0, 3] = 1.0
    seeds = torch.zeros(1, 3, 1, 4)
    seeds[0, 0, 0, :3] = 1
    seeds[0, 1, 0, 3] = 1
    background, foreground = math.log(3), math.log(2 + math.e) - 1
    balanced = seed_loss(logits, seeds, balanced=True)
    assert balanced.item() == pytest.approx(background + foreground)
    plain = seed_loss(logits, seeds)
    assert plain.item() == pytest.approx((3 * background + foreground) / 4)


@pytest.mark.parametrize("balanced", [False, True])
def test_an_image_without_seeds_adds_nothing(balanced):
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = seed_loss(logits, torch.zeros(1, 3, 2, 2), balanced)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def _expand_by_loop(logits: Tensor, tags: Tensor, decay: float, background_decay: float) -> float:
    def pooled(values: list[float], d: float) -> float:
        weights = [d**j for j in range(len(values))]
        ordered = sorted(values, reverse=True)
        return sum(w * v for w, v in zip(weights, ordered, strict=True)) / sum(weights)

    total = 0.0
    for n in range(N):
        p = logits[n].softmax(0).flatten(1).tolist()
        present = [c for c in range(1, C) if tags[n, c - 1]]
        absent = [c for c in range(1, C) if not tags[n, c - 1]]
        total -= math.log(pooled(p[0], background_decay))
        if present:
            total -= sum(math.log(pooled(p[c], decay)) for c in present) / len(present)
        if absent:
            total -= sum(math.log(1 - max(p[c])) for c in absent) / len(absent)
    return total / N


@pytest.mark.parametrize("tags", [[[1, 0], [1, 1]], [[0, 0], [0, 1]]])
@pytest.mark.parametrize("decays", [(0.996, 0.999), (0.5, 0.8), (0, 0), (1, 1)])
def test_expand_loss_follows_its_definition(generator, tags, decays):
    logits, wanted = _logits(generator), torch.tensor(tags)
    expected = _expand_by_loop(logits, wanted, *decays)
    assert expand_loss(logits, wanted, *decays).item() == pytest.approx(expected)


def test_expand_loss_takes_the_papers_decays_by_default(generator):
    logits, tags = _logits(generator), torch.tensor([[1, 0], [1, 1]])
    torch.testing.assert_close(expand_loss(logits, tags), expand_loss(logits, tags, 0.996, 0.999))


def test_a_decay_outside_the_range_is_refused():
    with pytest.raises(ValueError, match=r"background_decay must lie in 0..1, but is 1.1"):
        expand_loss(torch.zeros(1, 2, 1, 1), torch.ones(1, 1), background_decay=1.1)


def test_constrain_loss_is_the_divergence_from_the_refined_probabilities(generator):
    logits = _logits(generator)
    refined = torch.rand(N, C, H, W, generator=generator, dtype=torch.float64).softmax(1)
    expected = (refined * (refined / logits.softmax(1)).log()).sum(1).mean()
    torch.testing.assert_close(constrain_loss(logits, refined), expected)
    assert expected > 0


def test_constrain_loss_vanishes_where_both_agree_and_takes_impossible_labels():
    logits = torch.randn(1, 3, 2, 2, dtype=torch.float64)
    assert constrain_loss(logits, logits.softmax(1)).item() == pytest.approx(0, abs=1e-12)
    certain = torch.zeros(1, 3, 2, 2)
    certain[:, 1] = 1
    expected = -logits.log_softmax(1)[:, 1].mean()
    torch.testing.assert_close(constrain_loss(logits, certain), expected)


def test_no_gradient_reaches_the_refined_probabilities():
    refined = torch.full((1, 2, 1, 1), 0.5, requires_grad=True)
    constrain_loss(torch.randn(1, 2, 1, 1, requires_grad=True), refined).backward()
    assert refined.grad is None


# --- all ---------------------------------------------------------------------------------------


def _cases(generator: torch.Generator) -> dict:
    attention, seeds = _sparse_attention(generator), _seeds(generator)
    labels = torch.randint(0, C, (N, H, W), generator=generator)
    labels[0, 0] = 255
    tags = torch.tensor([[1, 0], [1, 1]])
    gate = torch.randn(N, C - 1, generator=generator, dtype=torch.float64)
    refined = torch.rand(N, C, H, W, generator=generator, dtype=torch.float64).softmax(1)
    return {
        "hybrid": lambda x: hybrid_loss(x, attention),
        "hybrid channels": lambda x: hybrid_loss(x, attention, "channels"),
        "multilabel": lambda x: multilabel_loss(x, attention),
        "selection": lambda x: selection_loss(x, labels, torch.tensor([1.0, 0.5])),
        "gated selection": lambda x: selection_loss(x, labels, gate=gate),
        "attention": lambda x: attention_loss(x.mean((2, 3)), torch.tensor([[1, 0, 1]] * N)),
        "seed": lambda x: seed_loss(x, seeds),
        "balanced seed": lambda x: seed_loss(x, seeds, balanced=True),
        "expand": lambda x: expand_loss(x, tags),
        "constrain": lambda x: constrain_loss(x, refined),
    }


NAMES = list(_cases(torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(generator, name):
    assert torch.autograd.gradcheck(_cases(generator)[name], (_logits(generator),))


def test_the_gate_gets_the_gradient_of_finite_differences(generator):
    logits = _logits(generator).detach()
    labels = torch.randint(0, C, (N, H, W), generator=generator)
    gate = torch.randn(N, C - 1, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda g: selection_loss(logits, labels, gate=g), (gate,))


@pytest.mark.parametrize("name", NAMES)
def test_enormous_logits_give_finite_losses_and_gradients(generator, name):
    logits = (1e4 * _logits(generator).detach().float()).requires_grad_()
    loss = _cases(generator)[name](logits)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    assert logits.grad.abs().sum() > 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_worked_out_in_single(generator, name, dtype):
    logits, loss = _logits(generator).detach().to(dtype), _cases(generator)[name]
    in_half = loss(logits)
    # The attention case pools its maps in half precision before the loss sees them.
    tolerance = 1e-2 if name == "attention" else 1e-5
    assert in_half.dtype == torch.float32
    assert in_half.item() == pytest.approx(loss(logits.double()).item(), rel=tolerance)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "attention"])
def test_the_order_of_the_pixels_does_not_matter(generator, name):
    logits = _logits(generator)
    order = torch.randperm(H * W, generator=generator)

    def shuffled(tensor: Tensor) -> Tensor:
        return tensor.flatten(2)[:, :, order].unflatten(2, (H, W))

    attention, refined = _sparse_attention(generator), logits.detach().roll(1, 1).softmax(1)
    labels = torch.randint(0, C, (N, H, W), generator=generator)
    seeds = _one_hot(labels)
    tags = torch.tensor([[1, 0], [1, 1]])
    pairs = {
        "hybrid": (hybrid_loss, attention),
        "hybrid channels": (lambda x, y: hybrid_loss(x, y, "channels"), attention),
        "multilabel": (multilabel_loss, attention),
        "selection": (lambda x, y: selection_loss(x, y.argmax(1)), seeds),
        "gated selection": (
            lambda x, y: selection_loss(x, y.argmax(1), gate=torch.ones(N, C - 1)),
            seeds,
        ),
        "seed": (seed_loss, seeds),
        "balanced seed": (lambda x, y: seed_loss(x, y, True), seeds),
        "expand": (lambda x, _: expand_loss(x, tags), seeds),
        "constrain": (constrain_loss, refined),
    }
    loss, target = pairs[name]
    torch.testing.assert_close(loss(shuffled(logits), shuffled(target)), loss(logits, target))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: hybrid_loss(x, torch.zeros(2, 3, 3, 3)), r"target must have the shape \(2, 3"),
        (lambda x: hybrid_loss(x[0], x[0]), r"logits must have the shape \(N, C, H, W\)"),
        (lambda x: hybrid_loss(x[:0], x[:0]), r"logits must have the shape"),
        (lambda x: multilabel_loss(x, x[:1]), "target must have the shape"),
        (lambda x: selection_loss(x, torch.zeros(2, 4, 3)), "labels must have the shape"),
        (
            lambda x: selection_loss(x, torch.zeros(2, 3, 4), torch.ones(3)),
            r"weights must have the shape \(2,\)",
        ),
        (
            lambda x: selection_loss(x, torch.zeros(2, 3, 4), gate=torch.ones(2, 3)),
            r"gate must have the shape \(2, 2\)",
        ),
        (lambda x: attention_loss(x, torch.ones(2, 3)), r"scores must have the shape \(2, 3\)"),
        (lambda x: seed_loss(x, torch.zeros(2, 2, 3, 4)), "seeds must have the shape"),
        (lambda x: expand_loss(x, torch.ones(2, 3)), r"tags must have the shape \(2, 2\)"),
        (lambda x: constrain_loss(x, x[:, :2]), "refined must have the shape"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_by_name(generator, call, words):
    with pytest.raises(ValueError, match=words):
        call(_logits(generator))
