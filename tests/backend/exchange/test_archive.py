"""backend.exchange.archive: nothing leaves its folder, nothing bursts, and people are told."""

import io
import resource
import stat
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from backend.errors import DataError
from backend.exchange.archive import Limits, extract, extract_images
from backend.exchange.sources import open_source


def photo(shade: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 9), (shade, 90, 120)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    """Writes a zip of {name or ZipInfo: bytes}."""

    def pack(members: Mapping, name: str = "set.zip", compress: int = zipfile.ZIP_STORED) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", compress) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return path

    return pack


def linked(name: str, target: str, kind: int = stat.S_IFLNK) -> dict[zipfile.ZipInfo, str]:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return {info: target}


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_images_come_out_with_their_folders(pack: Callable, tmp_path: Path) -> None:
    path = pack({"a.jpg": photo(1), "day/one/b.PNG": photo(2), "day/": "", "day/c.jpg": photo(3)})
    images = extract_images(path, tmp_path / "out")
    assert [image.relative_to(tmp_path / "out").as_posix() for image in images] == [
        "a.jpg",
        "day/one/b.PNG",
        "day/c.jpg",
    ]
    assert images[1].read_bytes() == photo(2)


def test_a_zipped_data_set_can_be_opened(pack: Callable, tmp_path: Path) -> None:
    path = pack({"set/tags.csv": "image,tags\na,cat\n", "set/a.jpg": photo(), "set/readme.md": "x"})
    extracted = extract(path, tmp_path / "out")
    assert [str(refused) for refused in extracted.refused] == [
        "'set/readme.md' is no image by its name"
    ]
    assert open_source(extracted.root).items[0].tags == (8,)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.jpg", "leads out of its folder"),
        ("a/../../evil.jpg", "leads out of its folder"),
        ("a/./evil.jpg", "leads out of its folder"),
        ("a//evil.jpg", "leads out of its folder"),
        ("..\\evil.jpg", "leads out of its folder"),
        ("/evil.jpg", "has an absolute name"),
        ("//host/evil.jpg", "has an absolute name"),
        ("\\evil.jpg", "has an absolute name"),
        ("C:\\evil.jpg", "has an absolute name"),
        ("c:evil.jpg", "has an absolute name"),
        ("evil\n.jpg", "has control characters in its name"),
        ("x" * 250 + ".jpg", "has too long a name"),
        ("/".join("abcdefgh" * 30) + "/evil.jpg", "has too long a name"),
        ("evil.exe", "is no image by its name"),
        ("inner.zip", "is no image by its name"),
    ],
)
def test_a_member_that_may_not_come_out_is_left_and_reported(
    pack: Callable, tmp_path: Path, name: str, reason: str
) -> None:
    path = pack({name: photo(), "good.jpg": photo()})
    extracted = extract(path, tmp_path / "deep" / "out")
    assert everything(tmp_path) == {"set.zip", "deep", "deep/out", "deep/out/good.jpg"}
    assert [(refused.name, refused.reason) for refused in extracted.refused] == [(name, reason)]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (stat.S_IFLNK, "is a link"),
        (stat.S_IFIFO, "is not an ordinary file"),
        (stat.S_IFCHR, "is not an ordinary file"),
    ],
)
def test_links_and_devices_are_left(pack: Callable, tmp_path: Path, kind: int, reason: str) -> None:
    members = linked("link.jpg", "/etc/passwd", kind) | {
        "link.jpg/a.jpg": photo(),
        "b.jpg": photo(),
    }
    extracted = extract(pack(members), tmp_path / "out")
    assert extracted.refused[0].reason == reason
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    assert [image.name for image in extracted.images] == ["a.jpg", "b.jpg"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_of_one_name_the_first_comes_out(pack: Callable, tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.jpg", "a.jpg", "A.JPG", "a.jpg/b.jpg", "c/d.jpg", "c.jpg", "C"):
            archive.writestr(name, photo(len(name)))
        archive.writestr("c/D.jpg/e.jpg", photo())
    extracted = extract(path, tmp_path / "out")
    assert everything(tmp_path / "out") == {"a.jpg", "c", "c/d.jpg", "c.jpg"}
    reasons = [(refused.name, refused.reason) for refused in extracted.refused]
    taken = "has the name of an earlier file or folder"
    assert reasons == [
        ("a.jpg", taken),
        ("A.JPG", taken),
        ("a.jpg/b.jpg", taken),
        ("C", "is no image by its name"),
        ("c/D.jpg/e.jpg", taken),
    ]


def test_what_systems_leave_in_archives_is_not_mentioned(pack: Callable, tmp_path: Path) -> None:
    names = ["__MACOSX/._a.jpg", "__MACOSX/b.jpg", "x/.DS_Store", "Thumbs.db", "x/._c.jpg"]
    extracted = extract(pack({name: photo() for name in [*names, "a.jpg"]}), tmp_path / "out")
    assert extracted.refused == []
    assert everything(tmp_path / "out") == {"a.jpg"}


def marked_encrypted(path: Path) -> Path:
    """Sets the encryption bit of every member, in both places it stands."""
    data = bytearray(path.read_bytes())
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(sign)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(sign, at + 4)
    path.write_bytes(data)
    return path


def test_an_encrypted_archive_is_refused_by_name(pack: Callable, tmp_path: Path) -> None:
    path = marked_encrypted(pack({"a.jpg": photo(), "b.jpg": photo()}))
    with pytest.raises(DataError, match=r"no image that can be read: 'a\.jpg' is encrypted, 'b"):
        extract(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_cannot_be_inflated_in_pieces_are_left(
    pack: Callable, tmp_path: Path, method: int
) -> None:
    with pytest.raises(DataError, match=r"'a\.jpg' is compressed in an unusual way"):
        extract(pack({"a.jpg": photo()}, compress=method), tmp_path / "out")


def test_a_damaged_member_is_left_and_the_rest_comes_out(pack: Callable, tmp_path: Path) -> None:
    path = pack({"a.jpg": photo(1), "b.jpg": photo(200)})
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    extracted = extract(path, tmp_path / "out")
    assert everything(tmp_path / "out") == {"b.jpg"}
    assert "is damaged" in extracted.refused[0].reason


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"hello" * 99, "is not a zip archive"),
        (b"Rar!\x1a\x07" + b"\0" * 99, "is a RAR archive; only zip archives are read"),
        (b"7z\xbc\xaf\x27\x1c" + b"\0" * 99, "is a 7-Zip archive"),
        (b"\x1f\x8b" + b"\0" * 99, "is a gzip archive"),
        (photo(), "is not a zip archive"),
    ],
)
def test_what_is_no_zip_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(DataError, match=rf"set\.zip {words}"):
        extract(tmp_path / "set.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_zip_cut_short_is_refused_wherever_it_ends(pack: Callable, tmp_path: Path) -> None:
    path = pack({"a.jpg": photo(), "b.jpg": photo()})
    data = path.read_bytes()
    for end in range(4, len(data) - 1, 53):
        path.write_bytes(data[:end])
        with pytest.raises(DataError, match=r"cut short|damaged or incomplete"):
            extract(path, tmp_path / "out")


def test_an_archive_without_images_says_so(pack: Callable, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"set\.zip holds no images\."):
        extract(pack({"notes.txt": "x"}), tmp_path / "out")
    with pytest.raises(DataError, match=r"can be read: 'a\.doc' is no image by its name\."):
        extract(pack({"a.doc": "x"}), tmp_path / "out")


def test_ten_thousand_members_are_taken_and_one_more_is_refused(
    pack: Callable, tmp_path: Path
) -> None:
    limits = Limits(members=100)
    names = [f"{number}.jpg" for number in range(101)]
    assert (
        len(extract(pack(dict.fromkeys(names[:100], b"x")), tmp_path / "a", limits).images) == 100
    )
    with pytest.raises(DataError, match="too many members; at most 100 are unpacked at once"):
        extract(pack(dict.fromkeys(names, b"x")), tmp_path / "b", limits)
    assert Limits().members == 10_000
    assert not (tmp_path / "b").exists()


def test_too_many_members_are_refused_before_their_names_are_read(
    pack: Callable, tmp_path: Path
) -> None:
    path = pack({f"{number:06}": "" for number in range(11_000)})
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="too many members; at most 10,000"):
            extract(path, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_count_that_lies_does_not_help(pack: Callable, tmp_path: Path) -> None:
    path = pack({f"{number:06}.jpg": "x" for number in range(300)})
    data = bytearray(path.read_bytes())
    data[-14:-10] = struct.pack("<HH", 1, 1)
    path.write_bytes(data)
    for members in (200, 20):  # once found by counting, once by the directory's size
        with pytest.raises(DataError, match="too many members"):
            extract(path, tmp_path / "out", Limits(members=members))


def test_a_bomb_is_refused_while_inflating_and_leaves_nothing(
    pack: Callable, tmp_path: Path
) -> None:
    path = pack({"good.jpg": photo(), "bomb.jpg": bytes(40_000_000)}, compress=zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    try:
        with pytest.raises(
            DataError, match=r"member 'bomb\.jpg' inflates from .* as a zip bomb do"
        ):
            extract(path, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
    assert everything(tmp_path) == {"set.zip"}


def test_a_bomb_that_understates_its_size_gives_no_more_than_it_said(
    pack: Callable, tmp_path: Path
) -> None:
    path = pack({"a.jpg": bytes(5_000_000), "b.jpg": photo()}, compress=zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 1000)))
    extracted = extract(path, tmp_path / "out")
    assert [(refused.name, refused.reason[:10]) for refused in extracted.refused] == [
        ("a.jpg", "is damaged")
    ]
    assert everything(tmp_path / "out") == {"b.jpg"}


def test_many_members_together_may_not_pass_the_total(pack: Callable, tmp_path: Path) -> None:
    path = pack({f"{number}.jpg": bytes(1000) for number in range(11)})
    assert len(extract(path, tmp_path / "a", Limits(total_bytes=11_000)).images) == 11
    with pytest.raises(DataError, match=r"unpacks to more than .* Nothing of it was kept"):
        extract(path, tmp_path / "b", Limits(total_bytes=10_999))
    assert not (tmp_path / "b").exists()


def test_members_that_share_their_bytes_are_counted_each(tmp_path: Path) -> None:
    # One stored block, named by many entries of the directory, as in overlapping bombs.
    body = bytes(100_000)
    packed = zlib.compress(body, 9)[2:-4]
    crc = zlib.crc32(body)
    local = struct.pack(
        "<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, crc, len(packed), len(body), 5, 0
    )
    block = local + b"a.jpg" + packed
    entry = (
        struct.pack(
            "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, crc, len(packed), len(body),
            5, 0, 0, 0, 0, 0, 0,
        )
        + b"a.jpg"
    )  # fmt: skip
    directory = entry * 50
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 50, 50, len(directory), len(block), 0)
    (tmp_path / "set.zip").write_bytes(block + directory + end)
    with pytest.raises(DataError, match="unpacks to more than"):
        extract(tmp_path / "set.zip", tmp_path / "out", Limits(total_bytes=1_000_000))


def test_a_folder_that_holds_something_is_not_unpacked_into(pack: Callable, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(DataError, match="is not an empty folder"):
        extract(pack({"a.jpg": photo()}), tmp_path / "out")
    assert everything(tmp_path / "out") == {"mine"}


def test_a_given_empty_folder_is_left_empty_after_a_failure(pack: Callable, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    path = pack({"a/b.jpg": photo(), "c.jpg": bytes(2000)})
    with pytest.raises(DataError, match="zip bomb"):
        extract(path, tmp_path / "out", Limits(member_bytes=1000))
    assert everything(tmp_path) == {"set.zip", "out"}


def test_a_full_disk_is_a_sentence_and_leaves_nothing(pack: Callable, tmp_path: Path) -> None:
    path = pack({"a.jpg": photo(), "b.jpg": bytes(100_000)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(DataError, match=r"could not be written: .*Free some space"):
            extract(path, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "out").exists()


def test_a_missing_archive_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.zip could not be read: No such file"):
        extract(tmp_path / "none.zip", tmp_path / "out")
    with pytest.raises(DataError, match="could not be read: Is a directory"):
        extract(tmp_path, tmp_path / "out")
