"""cls_labels.npy, the tags of VOC as weakly supervised projects pass them round.

The file is a pickle inside a NumPy header: a dict from image name to a 0/1 vector over the classes.
It is read by an unpickler that knows only the pieces such a dict is made of, each replaced by a
harmless stand-in, so that nothing in the file can run.
"""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backend.errors import DataError
from backend.exchange.names import safe_name, some

_LARGEST = 256_000_000
_PLAIN_KINDS = "bifu"


def read_class_vectors(path: Path, classes: Mapping[int, str]) -> dict[str, tuple[int, ...]]:
    """{image name: class ids} of a cls_labels.npy; entry i of a vector is the i-th class.

    Keys may be names or, as in IRN's file, numbers such as 2007000032 for 2007_000032. Raises
    DataError for another file, and for vectors that do not fit the classes.
    """
    order = sorted(classes)
    tags: dict[str, tuple[int, ...]] = {}
    for key, vector in _read_dict(path).items():
        if isinstance(key, int) and len(str(key)) == 10:
            key = f"{str(key)[:4]}_{str(key)[4:]}"
        if not isinstance(key, str) or not isinstance(vector, _Array):
            raise _unusable(path, "it is not a dict from image names to vectors")
        values = vector.values(path)
        if values.shape != (len(order),):
            raise DataError(
                f"{path} gives {key} a vector of shape {values.shape}, but there are {len(order)} "
                f"classes ({some(classes.values())}). Add a classes.txt that names them."
            )
        tags[safe_name(key)] = tuple(order[i] for i in np.flatnonzero(values > 0))
    return tags


def _read_dict(path: Path) -> dict[Any, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise _unusable(path, "it is too large")
        stream = io.BytesIO(path.read_bytes())
        version = np.lib.format.read_magic(stream)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(stream)
    except OSError as problem:
        raise DataError(f"{path} could not be read: {problem.strerror}.") from problem
    except DataError:
        raise
    except Exception as problem:
        # NumPy's header is Python text; parsing it fails in as many ways as Python's does.
        raise _unusable(path, "it is not a NumPy file") from problem
    if shape != () or dtype != np.dtype(object):
        raise _unusable(path, f"it holds an array {dtype} {shape}")
    try:
        outer = _Unpickler(stream).load()
    except DataError:
        raise
    except Exception as problem:
        # The pickle machine raises whatever broken bytes lead it to; none of them ran anything.
        raise _unusable(path, f"its pickle is broken ({problem})") from problem
    content = outer.content if isinstance(outer, _Array) else outer
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        return content[0]
    raise _unusable(path, "it does not hold one dict")


def _unusable(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} is not a usable cls_labels.npy: {why}. It should be np.save of a dict from image "
        "name to a 0/1 vector over the classes; a tags.csv (image,tags) can take its place."
    )


class _Dtype:
    """Stands for numpy.dtype: remembers its code and byte order."""

    def __init__(self, code: str = "", *_: object) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="


class _Array:
    """Stands for numpy.ndarray: remembers what the pickle says, makes an array only of numbers."""

    def __init__(self, *_: object) -> None:
        self.shape: Any = ()
        self.dtype: Any = None
        self.content: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self.shape, self.dtype, _, self.content = state

    def values(self, path: Path) -> np.ndarray:
        """The numbers as an array; raises DataError for anything but plain numbers."""
        try:
            dtype = np.dtype(str(self.dtype.code)).newbyteorder(self.dtype.order)
            if dtype.kind in _PLAIN_KINDS and isinstance(self.content, bytes):
                return np.frombuffer(self.content, dtype).reshape(self.shape)
        except (AttributeError, TypeError, ValueError) as problem:
            raise _unusable(path, "a vector in it is broken") from problem
        raise _unusable(path, "a vector in it does not hold numbers")


# The unpickler written in Python: the one in C can be made to reserve gigabytes by one opcode.
class _Unpickler(pickle._Unpickler):
    """Knows the names that a pickled dict of arrays mentions, and no other."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and (
            name == "_reconstruct"
        ):
            return _Array
        if (module, name) == ("numpy", "ndarray"):
            return _Array
        if (module, name) == ("numpy", "dtype"):
            return _Dtype
        if (module, name) == ("_codecs", "encode"):
            # A new function each time, so that no pickle can leave anything on a shared one.
            return lambda text, _="latin1": text.encode("latin1")
        raise DataError(
            f"This cls_labels.npy asks for {module}.{name}, which tags do not need. It was not "
            "read, and nothing in it was run. Use a file from a source you trust."
        )
