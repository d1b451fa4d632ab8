"""The running mean of a network's weights, which errs less on new images than the last weights."""

import copy
from typing import Any

import torch
from torch import nn


class Averaged:
    """A copy of a network with the exponential mean of its weights and statistics.

    `add` after each step; `network` is then the mean of about the last 1 / (1 - decay) steps, of
    fewer while there are fewer. It goes into checkpoints.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(bare(network)).eval().requires_grad_(False)
        self.decay = decay
        self.count = 0

    @torch.no_grad()
    def add(self, network: nn.Module) -> None:
        """Takes a network's weights of this moment into the mean."""
        part = 1 - min(self.decay, (1 + self.count) / (10 + self.count))
        if self.count == 0:
            part = 1.0
            # The loop may have moved the network since.
            self.network.to(next(network.parameters()).device)
        self.count += 1
        now = bare(network).state_dict()
        for name, mean in self.network.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(now[name].to(mean.dtype), part)
            else:
                mean.copy_(now[name])

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count, "network": self.network.state_dict()}

    def load_state_dict(self, state: Any, /) -> None:
        self.count = int(state["count"])
        self.network.load_state_dict(state["network"])
        for tensor in state["network"].values():
            self.network.to(tensor.device)
            break


def bare(network: nn.Module) -> nn.Module:
    """The network itself, where Fabric has wrapped it."""
    found: nn.Module = getattr(network, "module", network)
    return found
