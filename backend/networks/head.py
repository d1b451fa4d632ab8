"""What stands on a backbone: a few 3x3 layers and a 1x1 layer to the classes, and its rates."""

from typing import Any

from torch import nn


def new_head(
    inputs: int,
    outputs: int,
    *,
    channels: int = 512,
    layers: int = 3,
    dropout: float = 0.0,
    start: str = "gauss",
) -> nn.Sequential:
    """`layers` times (3x3, ReLU), dropout, 1x1: features (N,inputs,h,w) -> (N,outputs,h,w).

    start "gauss": N(0, 0.01) with zero bias (OAA's release); "he": as wide as the input asks.
    """
    modules: list[nn.Module] = []
    for _ in range(layers):
        modules += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(inplace=True)]
        inputs = channels
    modules += [nn.Dropout(dropout), nn.Conv2d(inputs, outputs, 1)]
    head = nn.Sequential(*modules)
    start_layers(head, start)
    return head


def start_layers(module: nn.Module, start: str) -> None:
    """Fills a new module's convolutions with their first random weights."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            if start == "he":
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            else:
                nn.init.normal_(layer.weight, 0.0, 0.01)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def parameter_groups(
    network: nn.Module, base_rate: float, decay: float, *, new_factor: float = 10.0
) -> list[dict[str, Any]]:
    """Optimiser groups: network.backbone at base_rate, all else new_factor times it, biases double.

    Weight decay falls on convolution weights only, as in the Caffe networks these rates come
    from. Parameters that take no gradient are left out, and so is a group that would be empty.
    """
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    groups = []
    for place, factor in (("backbone", 1.0), ("new", new_factor)):
        parameters = [
            (name, p) for name, p in named if name.startswith("backbone.") == (place == "backbone")
        ]
        weights = [p for _, p in parameters if p.ndim > 1]
        norms = [p for n, p in parameters if p.ndim == 1 and not n.endswith("bias")]
        biases = [p for n, p in parameters if p.ndim == 1 and n.endswith("bias")]
        for kind, members, times, weight_decay in (
            ("weights", weights, 1.0, decay),
            ("norms", norms, 1.0, 0.0),
            ("biases", biases, 2.0, 0.0),
        ):
            if members:
                groups.append(
                    {
                        "params": members,
                        "lr": base_rate * factor * times,
                        "weight_decay": weight_decay,
                        "name": f"{place} {kind}",
                    }
                )
    return groups
