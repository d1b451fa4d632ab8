"""GDN: the published formula, gradients for every parameter, no step that makes one negative."""

import numpy as np
import pytest
import torch

from backend.networks.gdn import GDN, SMALLEST_BETA, at_least


def by_hand(values: np.ndarray, beta: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """The formula, channel by channel; values (N,C,...)."""
    made = np.empty_like(values)
    for i in range(values.shape[1]):
        divisor = beta[i] + sum(gamma[i, j] * values[:, j] ** 2 for j in range(values.shape[1]))
        made[:, i] = values[:, i] / np.sqrt(divisor)
    return made


def test_it_begins_with_beta_one_and_a_tenth_of_the_identity():
    norm = GDN(3)
    assert norm.beta.tolist() == pytest.approx([1, 1, 1])
    assert np.allclose(norm.gamma.detach().numpy(), 0.1 * np.eye(3), atol=1e-9)
    assert norm(torch.tensor([[2.0, 0.0, -1.0]]))[0].tolist() == pytest.approx(
        [2 / 1.4**0.5, 0, -1 / 1.1**0.5]
    )


@pytest.mark.parametrize("shape", [(2, 4, 5, 3), (6, 4)])
def test_it_is_the_formula_whatever_its_parameters(shape: tuple[int, ...]):
    torch.manual_seed(1)
    norm = GDN(4)
    with torch.no_grad():
        norm.beta_root.uniform_(0.2, 2)
        norm.gamma_root.uniform_(0, 1.5)
    values = 3 * torch.randn(shape)
    beta = norm.beta_root.detach().numpy().astype(np.float64) ** 2
    gamma = norm.gamma_root.detach().numpy().astype(np.float64) ** 2
    wanted = by_hand(values.numpy().astype(np.float64), beta, gamma)
    assert np.allclose(norm(values).detach().numpy(), wanted, atol=1e-5)


def test_gradients_reach_every_parameter_and_the_input():
    torch.manual_seed(0)
    norm = GDN(3)
    values = torch.randn(4, 3, 5, 5, requires_grad=True)
    norm(values).abs().sum().backward()
    for gradient in (values.grad, norm.beta_root.grad, norm.gamma_root.grad):
        assert gradient is not None
        assert bool((gradient != 0).all())


@pytest.mark.parametrize("sign", [1, -1])
def test_no_step_however_large_makes_a_parameter_negative(sign: int):
    torch.manual_seed(0)
    norm = GDN(4)
    optimiser = torch.optim.SGD(norm.parameters(), lr=50.0)
    for _ in range(40):
        optimiser.zero_grad()
        (sign * norm(torch.randn(8, 4)).square().sum()).backward()
        optimiser.step()
        assert norm.beta.min().item() >= 0.99 * SMALLEST_BETA
        assert norm.gamma.min().item() >= 0
        assert bool(norm(torch.randn(8, 4)).isfinite().all())


def test_what_lies_under_the_bound_is_lifted_but_not_pushed_down():
    values = torch.tensor([0.5, 0.5, 2.0], requires_grad=True)
    bounded = at_least(values, 1.0)
    assert bounded.tolist() == [1, 1, 2]
    bounded.backward(torch.tensor([1.0, -1.0, 1.0]))
    assert values.grad is not None
    assert values.grad.tolist() == [0, -1, 1]


@pytest.mark.parametrize("given", [(0, 1.0, 0.1), (3, 0.0, 0.1), (3, 1.0, -0.1)])
def test_what_is_no_gdn_is_refused(given: tuple[int, float, float]):
    with pytest.raises(ValueError, match="A GDN has at least one channel"):
        GDN(*given)
