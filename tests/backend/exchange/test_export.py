"""backend.exchange.export: what goes out comes back the same, and never by half."""

import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.errors import DataError, ImageError
from backend.exchange.archive import extract
from backend.exchange.export import export_folder, export_zip
from backend.exchange.sources import Item, Source, open_source
from backend.images import read_image
from backend.labels import read_labels


@pytest.fixture
def source(make_files: Callable, mask: Callable) -> Source:
    root = make_files(
        {
            "a.jpg": "photo",
            "b c.png": "photo",
            "d.jpg": "photo",
            "classes.txt": "\ntram\n\n\ntraffic light\n",
            "tags.csv": "image,tags\na,tram\nb c,traffic light tram\nd,\n",
            "masks/a.png": mask(0, 2, 255),
            "masks/b c.png": mask(5, 2),
        }
    )
    return open_source(root)


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_set_comes_back_as_it_went_out(source: Source, tmp_path: Path, form: str) -> None:
    if form == "folder":
        root = export_folder(source, tmp_path / "out" / "voc")
    else:
        root = extract(export_zip(source, tmp_path / "out.zip"), tmp_path / "unpacked").root
    back = open_source(root)
    assert (back.kind, back.split) == ("voc", "train")
    assert back.classes == {2: "tram", 5: "traffic light"} == source.classes
    assert [(item.name, item.tags) for item in back.items] == [
        ("a", (2,)),
        ("b_c", (2, 5)),
        ("d", ()),
    ]
    for before, after in zip(source.items[:2], back.items, strict=False):
        assert np.array_equal(back.truth(after), source.truth(before))
        difference = read_image(after.image).astype(int) - read_image(before.image)
        assert np.abs(difference).max() <= 3
    assert back.items[2].truth is None


def test_a_plain_jpeg_is_copied_and_not_encoded_again(source: Source, tmp_path: Path) -> None:
    root = export_folder(source, tmp_path / "voc")
    assert (root / "JPEGImages" / "a.jpg").read_bytes() == source.items[0].image.read_bytes()


def test_a_turned_photograph_goes_out_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    source = Source("images", tmp_path, {}, [Item("a", tmp_path / "a.jpg")])
    root = export_folder(source, tmp_path / "voc")
    with Image.open(root / "JPEGImages" / "a.jpg") as image:
        assert image.size == (20, 30)  # also to a reader that knows no EXIF


def test_the_curated_mask_goes_out_before_the_true_one(
    source: Source, tmp_path: Path, mask: Callable, make_files: Callable
) -> None:
    curated = make_files({"m.png": mask(5)}, "curated") / "m.png"
    first = source.items[0]
    item = Item("a", first.image, (2,), truth=first.truth, mask=curated)
    root = export_folder(Source("snapshot", tmp_path, source.classes, [item]), tmp_path / "voc")
    assert np.array_equal(read_labels(root / "SegmentationClass" / "a.png"), mask(5))


def test_images_of_one_name_but_for_the_extension_stay_apart(
    source: Source, tmp_path: Path
) -> None:
    items = [Item(name, source.items[0].image) for name in ("a.jpg", "a.png", "a-2")]
    root = export_folder(Source("snapshot", tmp_path, {}, items), tmp_path / "voc")
    assert sorted(path.stem for path in (root / "JPEGImages").iterdir()) == ["a", "a-2", "a-2-2"]


def test_the_same_set_gives_the_same_zip(source: Source, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    first = export_zip(source, tmp_path / "1" / "set.zip").read_bytes()
    (tmp_path / "2").mkdir()
    assert export_zip(source, tmp_path / "2" / "set.zip").read_bytes() == first
    with zipfile.ZipFile(tmp_path / "1" / "set.zip") as archive:
        assert archive.testzip() is None
        assert "set/ImageSets/Segmentation/train.txt" in archive.namelist()


@pytest.mark.parametrize("export", [export_folder, export_zip])
def test_what_is_there_is_never_written_over(
    source: Source, tmp_path: Path, export: Callable
) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match="out is there already"):
        export(source, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("export", [export_folder, export_zip])
def test_a_failed_export_leaves_nothing(source: Source, tmp_path: Path, export: Callable) -> None:
    target = tmp_path / "exports"
    source.items[2].image.write_bytes(b"broken")
    with pytest.raises(ImageError, match=r"d\.jpg is not an image"):
        export(source, target / "out")
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("export", [export_folder, export_zip])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    source: Source, tmp_path: Path, export: Callable
) -> None:
    Image.effect_noise((300, 300), 90).convert("RGB").save(source.items[0].image, quality=95)
    (tmp_path / "set" / "masks" / "a.png").unlink()
    source = open_source(tmp_path / "set")
    target = tmp_path / "exports"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(DataError, match=r"out could not be written: .*Free some space"):
            export(source, target / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(target.iterdir()) == []


def test_nothing_to_export_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no images in .* to export"):
        export_zip(Source("images", tmp_path, {}, []), tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_the_real_set_goes_out_and_back(shared_data: Path, tmp_path: Path) -> None:
    whole = open_source(shared_data / "msrc", "val")
    source = whole.only([item.name for item in whole.items[::9]])
    back = open_source(export_folder(source, tmp_path / "voc"))
    assert back.classes == source.classes
    assert [(item.name, item.tags) for item in back.items] == [
        (item.name, item.tags) for item in source.items
    ]
    for before, after in zip(source.items, back.items, strict=True):
        assert after.image.read_bytes() == before.image.read_bytes()
        assert np.array_equal(back.truth(after), source.truth(before))
