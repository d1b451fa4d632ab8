"""backend.exchange.class_vectors: cls_labels.npy is read, and never executed."""

import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import DataError
from backend.exchange.class_vectors import read_class_vectors
from backend.exchange.classes import VOC_IDS


def vector(*ids: int, dtype: object = np.float32) -> np.ndarray:
    values = np.zeros(20, dtype)
    values[[number - 1 for number in ids]] = 1
    return values


def saved(folder: Path, content: object) -> Path:
    path = folder / "cls_labels.npy"
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


def with_pickle(folder: Path, data: bytes) -> Path:
    """The header of a saved dict with another pickle behind it."""
    path = saved(folder, {})
    header = path.read_bytes()
    start = 10 + struct.unpack("<H", header[8:10])[0]
    path.write_bytes(header[:start] + data)
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64, bool, ">f4"])
def test_entry_i_is_the_ith_class(tmp_path: Path, dtype: object) -> None:
    content = {"2007_000032": vector(1, 15, dtype=dtype), "2007_000039": vector(20, dtype=dtype)}
    assert read_class_vectors(saved(tmp_path, content), VOC_IDS) == {
        "2007_000032": (1, 15),
        "2007_000039": (20,),
    }


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9]{1,9}_[0-9]{6}", fullmatch=True),
        st.sets(st.integers(1, 20)),
        max_size=8,
    )
)
@settings(max_examples=30, deadline=None)
def test_it_agrees_with_numpys_own_reading(
    tmp_path_factory: pytest.TempPathFactory, tags: dict
) -> None:
    path = saved(tmp_path_factory.mktemp("v"), {k: vector(*v) for k, v in tags.items()})
    theirs = np.load(path, allow_pickle=True).item()
    ours = read_class_vectors(path, VOC_IDS)
    expected = {k: tuple((np.flatnonzero(v) + 1).tolist()) for k, v in theirs.items()}
    assert ours == expected


def test_irns_numbers_become_vocs_names(tmp_path: Path) -> None:
    path = saved(tmp_path, {2007000032: vector(8), 2011003276: vector(3)})
    assert read_class_vectors(path, VOC_IDS) == {"2007_000032": (8,), "2011_003276": (3,)}


@pytest.mark.parametrize("protocol", range(5))
def test_every_protocol_that_numpy_writes_is_understood(tmp_path: Path, protocol: int) -> None:
    content = np.array({"a": vector(4)}, dtype=object)
    path = with_pickle(tmp_path, pickle.dumps(content, protocol=protocol))
    assert read_class_vectors(path, VOC_IDS) == {"a": (4,)}


def test_vectors_follow_the_classes_of_the_set(tmp_path: Path) -> None:
    path = saved(tmp_path, {"a": np.array([0, 1, 1])})
    assert read_class_vectors(path, {2: "tram", 5: "lamp", 9: "bin"}) == {"a": (5, 9)}
    with pytest.raises(DataError, match=r"gives a a vector of shape \(3,\), but there are 20 clas"):
        read_class_vectors(path, VOC_IDS)


class Sprung:
    """Pickles as a call that leaves a file behind."""

    def __init__(self, call: object, *arguments: object) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("place", ["value", "key", "top"])
def test_nothing_in_a_hostile_file_is_run(tmp_path: Path, place: str) -> None:
    sign = tmp_path / "sprung"
    trap = Sprung(os.system, f"touch {sign}")
    hostile: object = {"value": {"a": trap}, "key": {trap: vector(1)}, "top": trap}[place]
    path = with_pickle(tmp_path, pickle.dumps(hostile))
    with pytest.raises(DataError, match=r"asks for (posix|nt)\.system.*nothing in it was run"):
        read_class_vectors(path, VOC_IDS)
    assert not sign.exists()
    pickle.loads(path.read_bytes()[-len(pickle.dumps(hostile)) :])
    assert sign.exists()  # so the trap was a real one


@pytest.mark.parametrize(
    ("module", "name"),
    [("builtins", "eval"), ("numpy", "load"), ("numpy", "memmap"), ("io", "open")],
)
def test_only_the_pieces_of_a_dict_of_arrays_are_known(
    tmp_path: Path, module: str, name: str
) -> None:
    data = f"c{module}\n{name}\n(S'x'\ntR.".encode()
    with pytest.raises(DataError, match=f"asks for {module}.{name}"):
        read_class_vectors(with_pickle(tmp_path, data), VOC_IDS)


def test_one_opcode_cannot_reserve_gigabytes(tmp_path: Path) -> None:
    data = b"\x80\x04}r\xff\xff\xff\x3f."  # puts the dict at place 2**30 of the memo
    with pytest.raises(DataError, match="does not hold one dict"):
        read_class_vectors(with_pickle(tmp_path, data), VOC_IDS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a NumPy file"),
        (b"hello", "not a NumPy file"),
        (pickle.dumps({"a": 1}), "not a NumPy file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "cls_labels.npy"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"not a usable cls_labels.npy: .*{words}"):
        read_class_vectors(path, VOC_IDS)


@pytest.mark.parametrize(
    "content",
    [[1, 2], {"a": 1}, {"a": [1, 0]}, {3: vector(1)}, {"a": np.array(["x"] * 20)}, {"a": None}],
)
def test_other_contents_are_refused(tmp_path: Path, content: object) -> None:
    path = with_pickle(tmp_path, pickle.dumps(np.array([content, 0], dtype=object)[:1].reshape(())))
    with pytest.raises(DataError, match=r"not a usable cls_labels.npy"):
        read_class_vectors(path, VOC_IDS)


def test_a_plain_array_and_a_missing_file_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "cls_labels.npy", np.zeros((3, 20)))
    with pytest.raises(DataError, match=r"it holds an array float64 \(3, 20\)"):
        read_class_vectors(tmp_path / "cls_labels.npy", VOC_IDS)
    with pytest.raises(DataError, match="could not be read: No such file"):
        read_class_vectors(tmp_path / "none.npy", VOC_IDS)


@given(st.integers(0, 400), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_either_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: int
) -> None:
    path = saved(tmp_path_factory.mktemp("v"), {"a": vector(1), "b": vector(2, 3)})
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= change
    path.write_bytes(data)
    try:
        tags = read_class_vectors(path, VOC_IDS)
    except DataError:
        return
    assert all(1 <= number <= 20 for ids in tags.values() for number in ids)
