"""Generalised divisive normalisation: each channel is divided by what all channels say there.

Ballé et al., Density Modeling of Images Using a Generalized Normalization Transformation (ICLR
2016), with the parametrisation of their later work that keeps both parameters non-negative.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

# Roots are kept above its root, so that the gradient of a square never vanishes.
PEDESTAL = 2.0**-36
SMALLEST_BETA = 1e-6


class GDN(nn.Module):
    """y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2) over the channels of (N,C,H,W) or (N,C).

    beta begins at `beta` for each channel and gamma at `gamma` times the identity. What is learnt
    are their square roots, so that no step of any size makes one of them negative.
    """

    def __init__(self, channels: int, beta: float = 1.0, gamma: float = 0.1) -> None:
        super().__init__()
        if channels < 1 or beta < SMALLEST_BETA or gamma < 0:
            raise ValueError(
                f"A GDN has at least one channel, a beta of at least {SMALLEST_BETA:g} and a gamma "
                f"of at least 0, not {channels}, {beta:g} and {gamma:g}."
            )
        self.beta_root = nn.Parameter(torch.full((channels,), (beta + PEDESTAL) ** 0.5))
        self.gamma_root = nn.Parameter((gamma * torch.eye(channels) + PEDESTAL).sqrt())

    @property
    def beta(self) -> torch.Tensor:
        """(C,), at least SMALLEST_BETA."""
        return at_least(self.beta_root, (SMALLEST_BETA + PEDESTAL) ** 0.5).square() - PEDESTAL

    @property
    def gamma(self) -> torch.Tensor:
        """(C,C), at least 0: row i holds what divides channel i."""
        return at_least(self.gamma_root, PEDESTAL**0.5).square() - PEDESTAL

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        squares = values.square()
        if values.ndim == 2:
            divisor = functional.linear(squares, self.gamma, self.beta)
        else:
            divisor = functional.conv2d(squares, self.gamma[:, :, None, None], self.beta)
        return values * divisor.rsqrt()


class _AtLeast(torch.autograd.Function):
    """The larger of a value and a bound, whose gradient still lifts a value from under it."""

    @staticmethod
    def forward(context: Any, values: torch.Tensor, bound: float) -> torch.Tensor:
        context.save_for_backward(values)
        context.bound = bound
        return values.clamp(min=bound)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (values,) = context.saved_tensors
        (gradient,) = gradients
        return gradient * ((values >= context.bound) | (gradient < 0)), None


def at_least(values: torch.Tensor, bound: float) -> torch.Tensor:
    """values, none below the bound; a gradient passes where it does not push further below."""
    bounded: torch.Tensor = _AtLeast.apply(values, bound)
    return bounded
