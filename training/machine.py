"""Where a training runs and how often it saves: flags that every training recipe shares.

None of them changes what is learnt, but for the last digits that another device or precision gives.
"""

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.errors import TrainingError
from training.options import option

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Machine:
    """The device and what goes with it; a recipe's settings inherit these."""

    device: str = option(
        "auto", "auto takes the GPU where there is one", choices=("auto", "cpu", "cuda")
    )
    precision: str = option(
        "auto",
        "auto takes bfloat16 autocast where the processor computes in it (2x faster there)",
        choices=("auto", "32", "bf16"),
    )
    workers: int = option(0, "processes that read images beside the trainer", minimum=0, maximum=64)
    cache_mb: int = option(
        1024, "decoded images kept in memory, in MiB", minimum=0, maximum=1 << 20
    )
    checkpoint_every: float = option(60.0, "seconds between checkpoints", minimum=0)


def open_fabric(machine: Machine) -> "Fabric":
    """Lightning Fabric on the device asked for, one device of it.

    Raises TrainingError where CUDA is asked for and absent.
    """
    import torch
    from lightning_fabric import Fabric

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    device = machine.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":
        require_cuda()
        # What torch needs to give the same numbers from the same seed on a GPU.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
    precision = machine.precision
    if precision == "auto":
        precision = "bf16" if computes_bfloat16(device) else "32"
    return Fabric(
        accelerator=device,
        devices=1,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )


def require_cuda() -> None:
    """Raises TrainingError, with the reason, where no CUDA GPU can be used."""
    import torch

    if torch.cuda.is_available():
        return
    reason = (
        "no GPU or driver was found"
        if torch.backends.cuda.is_built()
        else "this PyTorch is built for the CPU only"
    )
    raise TrainingError(
        f"--device cuda was asked for, but {reason}. Use --device cpu or auto, or install a "
        "PyTorch built for CUDA (README, GPU)."
    )


def computes_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware; elsewhere it is slower than float32."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("amx_tile"))
