"""Dropping photographs, zips and zipped data sets: what comes in, what is refused, what is said."""

import errno
import hashlib
import io
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastapi
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from backend.exchange.archive import Limits
from backend.images import encode_png, read_image
from backend.labels import encode_labels, read_labels
from backend.workspace import Workspace
from ui.routes import routers
from ui.routes import upload as uploads
from ui.security import Guard
from ui.server import open_context

ALREADY = 3  # images of the fixture's workspace


def photograph(seed: int, size: tuple[int, int] = (20, 30)) -> bytes:
    return encode_png(np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8))


def mask(id: int, size: tuple[int, int] = (20, 30)) -> bytes:
    labels = np.zeros(size, np.uint8)
    labels[5:10, 5:10] = id
    return encode_labels(labels)


def packed(files: dict[str, bytes | str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def upload(client: TestClient, *files: tuple[str, bytes]) -> dict:
    sent = [("files", (name, data, "application/octet-stream")) for name, data in files]
    answer = client.post("/tagmask/api/upload", files=sent, data={"reviewer": "ada"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def said(told: dict) -> str:
    return "\n".join(result["sentence"] for result in told["results"])


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    """Our routes behind the guard, without Gradio's page, which takes a second to build."""
    app = fastapi.FastAPI()
    app.add_middleware(Guard)
    for router in routers(open_context(workspace)):
        app.include_router(router)
    with TestClient(app, headers={"X-Tagmask": "1", "Origin": "http://testserver"}) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_left_behind(workspace: Workspace) -> Iterator[None]:
    """Whatever is dropped, no scratch folder stays in the workspace."""
    yield
    assert not list(workspace.root.glob(".upload-*"))


# ---------------------------------------------------------------- zipped data sets


VOC = {
    "JPEGImages/2007_000001.png": photograph(1),
    "JPEGImages/2007_000002.png": photograph(2),
    "SegmentationClass/2007_000001.png": mask(8),
    "SegmentationObject/2007_000001.png": mask(1),
    "ImageSets/Segmentation/train.txt": "2007_000001\n",
    "Annotations/2007_000001.xml": "<annotation><object><name>cat</name></object></annotation>",
    "Annotations/2007_000002.xml": "<annotation><object><name>dog</name></object></annotation>",
}


@pytest.mark.parametrize("above", ["", "VOCdevkit/VOC2012/", "my set/"])
def test_a_zipped_voc_set_comes_in_with_tags_and_truth(
    client: TestClient, workspace: Workspace, above: str
) -> None:
    told = upload(client, ("voc.zip", packed({above + name: VOC[name] for name in VOC})))
    assert told["counts"] == {"added": 2, "duplicate": 0, "refused": 0}
    assert "voc.zip is a Pascal VOC data set: 2 images" in told["sentence"]
    assert "1 with a true mask" in told["sentence"]
    assert told["results"][0]["image"]["name"] == "2007_000001"
    images = workspace.store.images
    assert images.count() == ALREADY + 2
    names = {each.id: each.name for each in workspace.store.classes.all()}
    first, second = images.by_name("2007_000001"), images.by_name("2007_000002")
    assert [names[id] for id in first.tags] == ["cat"]
    assert [names[id] for id in second.tags] == ["dog"]
    assert second.truth_digest is None
    truth = read_labels(workspace.files.path(first.truth_digest))
    # VOC's cat is 8; the workspace has had a cat of its own, 1, before.
    assert set(np.unique(truth)) == {0, workspace.store.classes.by_name()["cat"].id}
    assert first.source == "upload by ada"


def test_a_zipped_folder_with_tags_csv_comes_in_with_its_tags(
    client: TestClient, workspace: Workspace
) -> None:
    told = upload(
        client,
        (
            "farm.zip",
            packed(
                {
                    "farm/tags.csv": "image,tags\na.png,COW sheep cow\nb.png,\n",
                    "farm/classes.txt": "cow\nsheep\n",
                    "farm/a.png": photograph(1),
                    "farm/b.png": photograph(2),
                    "farm/masks/a.png": mask(1),
                }
            ),
        ),
    )
    assert told["counts"] == {"added": 2, "duplicate": 0, "refused": 0}
    assert "1 of 2 images have no tags" in said(told)
    names = {each.id: each.name for each in workspace.store.classes.all()}
    image = workspace.store.images.by_name("a")
    assert sorted(names[id] for id in image.tags) == ["cow", "sheep"]
    assert image.truth_digest is not None


def test_the_same_set_dropped_twice_adds_nothing(client: TestClient, workspace: Workspace) -> None:
    upload(client, ("voc.zip", packed(VOC)))
    files = sorted(workspace.files.root.rglob("*"))
    told = upload(client, ("again.zip", packed(VOC)))
    assert told["counts"] == {"added": 0, "duplicate": 2, "refused": 0}
    assert workspace.store.images.count() == ALREADY + 2
    assert sorted(workspace.files.root.rglob("*")) == files


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"SegmentationClass/2007_000001.png": mask(8, (4, 4))}, "is 4x4 pixels, its image 30x20"),
        ({"SegmentationClass/2007_000001.png": mask(99)}, "unknown class id 99"),
    ],
)
def test_a_mask_that_does_not_fit_is_named_and_its_image_kept(
    client: TestClient, workspace: Workspace, changed: dict, sentence: str
) -> None:
    told = upload(client, ("voc.zip", packed({**VOC, **changed})))
    assert told["counts"] == {"added": 2, "duplicate": 0, "refused": 1}
    assert sentence in said(told)
    assert "2007_000001" in said(told)
    assert str(workspace.root) not in json.dumps(told)
    assert workspace.store.images.by_name("2007_000001").truth_digest is None


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"tags.csv": "image,tags\na.png,cow\n", "classes.txt": "cat\n"}, "unknown tag 'cow'"),
        ({"tags.csv": "picture,words\na.png,cow\n"}, "image,tags"),
        ({"tags.csv": "image,tags\na.png,cow\nz.png,cow\n"}, "not to be found: z"),
        ({"deep/tags.csv": "image,tags\na.png,cow\n"}, "not at its top"),
    ],
)
def test_a_set_that_cannot_be_read_is_refused_whole_by_the_zips_name(
    client: TestClient, workspace: Workspace, files: dict, sentence: str
) -> None:
    told = upload(client, ("farm.zip", packed({"a.png": photograph(1), **files})))
    assert told["counts"] == {"added": 0, "duplicate": 0, "refused": 1}
    assert sentence in said(told)
    assert "farm.zip" in said(told)
    assert ".upload-" not in said(told)
    assert workspace.store.images.count() == ALREADY


def test_masks_among_photographs_do_not_come_in_as_photographs(
    client: TestClient, workspace: Workspace
) -> None:
    files = {"a.png": photograph(1), "b.png": photograph(2), "masks/a.png": mask(1), "read.txt": ""}
    told = upload(client, ("photos.zip", packed(files)))
    assert told["counts"] == {"added": 2, "duplicate": 0, "refused": 0}
    assert "1 masks were passed over" in said(told)
    assert workspace.store.images.count() == ALREADY + 2


def test_a_manifest_in_a_zip_cannot_reach_files_outside_it(
    client: TestClient, workspace: Workspace
) -> None:
    """A snapshot names its files by relative paths; a stranger's may not name the owner's."""
    (workspace.root / "private.png").write_bytes(photograph(9))
    item = {"image": "a", "file": "../../private.png", "tags": []}
    item["sha256"] = hashlib.sha256(photograph(9)).hexdigest()
    manifest = {"format": "tagmask-snapshot/1", "classes": {"1": "cat"}, "items": [item]}
    files = {"manifest.json": json.dumps(manifest), "b.png": photograph(1)}
    told = upload(client, ("snapshot.zip", packed(files)))
    assert told["counts"] == {"added": 0, "duplicate": 0, "refused": 1}
    assert "leads out of its folder" in said(told)
    digest = hashlib.sha256(photograph(9)).hexdigest()
    assert workspace.store.images.by_digest(digest) is None


# ---------------------------------------------------------------- zips that mean harm


def test_members_that_lead_outside_and_links_are_left_and_named(
    client: TestClient, workspace: Workspace
) -> None:
    buffer = io.BytesIO(packed({"../up.png": photograph(1), "good.png": photograph(2)}))
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    told = upload(client, ("x.zip", buffer.getvalue()))
    assert told["counts"] == {"added": 1, "duplicate": 0, "refused": 2}
    assert "leads out of its folder" in said(told)
    assert "is a link" in said(told)
    assert not list(workspace.root.parent.rglob("up.png"))


def test_more_than_ten_thousand_members_are_refused(
    client: TestClient, workspace: Workspace
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(Limits().members + 1):
            archive.writestr(f"{number}.png", b"")
    told = upload(client, ("many.zip", buffer.getvalue()))
    assert told["counts"] == {"added": 0, "duplicate": 0, "refused": 1}
    assert "10,000" in said(told)
    assert workspace.store.images.count() == ALREADY


def test_a_zip_bomb_is_refused_whole(client: TestClient, workspace: Workspace) -> None:
    files = {"a.png": photograph(1), "b.png": bytes(20_000_000)}
    told = upload(client, ("bomb.zip", packed(files)))
    assert told["counts"] == {"added": 0, "duplicate": 0, "refused": 1}
    assert "bomb.zip" in said(told)
    assert "zip bomb" in said(told)
    assert workspace.store.images.count() == ALREADY


# ---------------------------------------------------------------- photographs


def header_of(width: int, height: int) -> bytes:
    """A PNG that promises so many pixels and holds next to none."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("letter.png", b"Dear reader, this is no photograph."),
        ("page.jpg", b"<html><script>alert(1)</script></html>"),
        ("empty.jpg", b""),
        ("cut.jpg", saved(Image.effect_noise((64, 64), 90), "JPEG")[:900]),
        ("cut.png", photograph(3)[:300]),
        ("huge.png", header_of(20_000, 20_000)),
        ("bomb.png", header_of(2**31 - 1, 2**31 - 1)),
    ],
)
def test_what_is_no_photograph_is_refused_and_the_rest_comes_in(
    client: TestClient, workspace: Workspace, name: str, data: bytes
) -> None:
    told = upload(client, (name, data), ("good.png", photograph(1)))
    assert [result["outcome"] for result in told["results"]] == ["refused", "added"]
    sentence = told["results"][0]["sentence"]
    assert name in sentence
    assert sentence.endswith(".")
    assert workspace.store.images.count() == ALREADY + 1
    assert client.get("/tagmask/api/inspect/images").json()["total"] == ALREADY + 1


SIXTEEN_BIT = Image.fromarray(np.linspace(0, 65535, 24 * 36, dtype=np.uint16).reshape(24, 36))
COLOUR = Image.fromarray(np.arange(24 * 36 * 3, dtype=np.uint8).reshape(24, 36, 3))
TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.mark.parametrize(
    ("name", "data", "size"),
    [
        ("cmyk.jpg", saved(COLOUR.convert("CMYK"), "JPEG"), (36, 24)),
        ("deep.png", saved(SIXTEEN_BIT, "PNG"), (36, 24)),
        ("grey.png", saved(COLOUR.convert("L"), "PNG"), (36, 24)),
        ("alpha.png", saved(COLOUR.convert("RGBA"), "PNG"), (36, 24)),
        (
            "film.gif",
            saved(COLOUR, "GIF", save_all=True, append_images=[COLOUR.rotate(180)]),
            (36, 24),
        ),
        ("turned.jpg", saved(COLOUR, "JPEG", exif=TURNED), (24, 36)),
        ("really-a-png.jpg", saved(COLOUR, "PNG"), (36, 24)),
        ("dot.png", saved(COLOUR.crop((0, 0, 1, 1)), "PNG"), (1, 1)),
    ],
)
def test_unusual_photographs_come_in_upright_and_are_shown(
    client: TestClient, workspace: Workspace, name: str, data: bytes, size: tuple[int, int]
) -> None:
    told = upload(client, (name, data))
    assert told["counts"]["added"] == 1, said(told)
    image = workspace.store.images.get(told["results"][0]["image"]["id"])
    assert (image.width, image.height) == size
    small = client.get(f"/tagmask/thumbs/{image.digest}")
    assert small.headers["content-type"] == "image/jpeg"
    assert read_image(small.content).shape == (size[1], size[0], 3)


# ---------------------------------------------------------------- the request itself


def test_nothing_sent_is_a_sentence(client: TestClient) -> None:
    for answer in (
        client.post("/tagmask/api/upload", files=[("reviewer", (None, b"ada"))]),
        client.post("/tagmask/api/upload", files=[("files", (None, b"text"))]),
    ):
        assert answer.status_code == 422
        assert answer.json() == {"error": "No file was sent."}


def test_too_many_files_at_once_are_refused_in_a_sentence(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_FILES", 2)
    sent = [("files", (f"{n}.png", photograph(n), "image/png")) for n in range(3)]
    answer = client.post("/tagmask/api/upload", files=sent)
    assert answer.status_code == 400
    assert "at most 2 at once" in answer.json()["error"]
    assert workspace.store.images.count() == ALREADY


def test_a_request_beyond_four_gigabytes_is_refused_by_its_length(client: TestClient) -> None:
    answer = client.post(
        "/tagmask/api/upload", content=b"x", headers={"Content-Length": str(5 * 1024**3)}
    )
    assert answer.status_code == 413
    assert "4,096 MB" in answer.json()["error"]


def test_a_disk_too_full_to_receive_says_where_to_make_room(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    # Where Starlette keeps what it receives, beyond the first megabyte of a file.
    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile.rollover", full)
    large = np.random.default_rng(0).integers(0, 255, (700, 700, 3), dtype=np.uint8)
    sent = [("files", ("large.png", encode_png(large), "image/png"))]
    answer = client.post("/tagmask/api/upload", files=sent)
    assert answer.status_code == 507
    assert "No space left" in answer.json()["error"]
    assert workspace.store.images.count() == ALREADY


def test_a_disk_too_full_to_unpack_says_so_and_keeps_nothing(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Any, target: Any) -> None:
        target.write(source.read(10))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ui.routes.upload.shutil.copyfileobj", full)
    told = upload(client, ("photos.zip", packed({"a.png": photograph(1)})))
    assert told["counts"] == {"added": 0, "duplicate": 0, "refused": 1}
    assert "No space left" in said(told)
    assert workspace.store.images.count() == ALREADY


def test_what_a_killed_app_left_is_swept_up_at_the_next_start(workspace: Workspace) -> None:
    left = workspace.root / ".upload-killed" / "out"
    left.mkdir(parents=True)
    (left / "a.png").write_bytes(photograph(1))
    kept = workspace.root / "notes.txt"
    kept.write_text("mine")
    uploads.router(open_context(workspace, read_only=True))
    assert left.is_dir()
    uploads.router(open_context(workspace))
    assert not left.parent.exists()
    assert kept.is_file()


def test_names_of_dropped_files_never_become_paths(
    client: TestClient, workspace: Workspace
) -> None:
    before = {path for path in Path(workspace.root.parent).rglob("*") if path.is_dir()}
    upload(client, ("../../etc/up.png", photograph(1)), ("..\\..\\win.png", photograph(2)))
    after = {path for path in Path(workspace.root.parent).rglob("*") if path.is_dir()}
    assert {path.relative_to(workspace.root).parts[0] for path in after - before} <= {"files"}


def test_a_photograph_of_many_megabytes_is_refused_before_it_is_read(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "LARGEST_PHOTOGRAPH", 1000)
    told = upload(
        client, ("big.png", photograph(1, (40, 60))), ("small.png", photograph(2, (8, 8)))
    )
    assert told["counts"] == {"added": 1, "duplicate": 0, "refused": 1}
    assert "Scale it down" in said(told)
    assert workspace.store.images.count() == ALREADY + 1


def test_an_upload_that_hides_its_length_is_refused(client: TestClient) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/tagmask/api/upload", content=iter([b"--x\r\n", b"y"]), headers=kind)
    assert answer.status_code == 411
    assert "Content-Length" in answer.json()["error"]


def test_gradios_own_upload_is_closed(client: TestClient) -> None:
    answer = client.post("/gradio_api/upload", files={"files": ("a.txt", b"x", "text/plain")})
    assert answer.status_code == 403
