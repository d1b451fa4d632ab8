"""Reading tensors from files that others made, without running what may be inside them."""

import hashlib
import os
import re
import zipfile
import zlib
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from backend.errors import WeightsError

SUFFIXES = (".safetensors", ".npz", ".pth", ".pt")

# What the three readers raise on files that are cut off, altered or of another kind.
DAMAGE = (
    SafetensorError,
    UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RuntimeError,
)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_file(path: Path) -> None:
    """WeightsError unless there is a readable file of an accepted kind at this path."""
    if not path.is_file():
        raise WeightsError(f"There is no weights file at {path}.")
    if path.suffix not in SUFFIXES:
        raise WeightsError(
            f"{path} is not a weights file that is read here; {', '.join(SUFFIXES)} are."
        )
    if path.stat().st_size == 0:
        raise WeightsError(f"The weights file {path} is empty; copy or fetch it again.")


def metadata(path: Path) -> dict[str, str]:
    """The text fields in a file's header: a safetensors file's metadata, {} for other kinds."""
    require_file(path)
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(str(path), framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise unreadable(path, error) from error


def tensors(path: Path, device: str = "cpu") -> dict[str, torch.Tensor]:
    """The named tensors of a file; WeightsError where it is truncated, foreign or holds more than
    tensors.
    """
    require_file(path)
    try:
        if path.suffix == ".safetensors":
            with safe_open(str(path), framework="pt", device=device) as file:
                return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {key: torch.from_numpy(arrays[key]).to(device) for key in arrays.files}
        content = torch.load(path, map_location=device, weights_only=True)
    except DAMAGE as error:
        if re.search("Unsupported (global|class)|Object arrays", str(error)):
            raise WeightsError(
                f"{path} holds more than tensors, and opening it could run what is inside; save "
                "its state_dict alone, or convert it to safetensors."
            ) from error
        raise unreadable(path, error) from error
    return _named_tensors(path, content)


def _named_tensors(path: Path, content: Any) -> dict[str, torch.Tensor]:
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise WeightsError(f"{path} does not hold named tensors; a saved state_dict is wanted.")
    named = {str(k): v for k, v in content.items() if isinstance(v, torch.Tensor)}
    if len(named) != len(content):
        raise WeightsError(f"{path} does not hold tensors alone; a saved state_dict is wanted.")
    return named


def unreadable(path: Path, error: Exception) -> WeightsError:
    """The sentence for a file that is damaged, cut off or of another kind than its name says."""
    return WeightsError(
        f"The weights file {path} cannot be read: it is damaged, cut off, or not what its name "
        f"says ({type(error).__name__}). Copy or fetch it again."
    )


def write_safetensors(path: Path, named: dict[str, torch.Tensor], fields: dict[str, str]) -> str:
    """Writes tensors and header fields under a partial name, syncs, renames; returns the sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        # Shared or strided storage is refused by the format.
        save_file({k: v.detach().cpu().contiguous() for k, v in named.items()}, partial, fields)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"The weights could not be written to {path}: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return digest
