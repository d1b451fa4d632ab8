"""backend.exchange.voc: VOC devkits as people have them on their disks."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backend.errors import DataError
from backend.exchange.sources import open_source
from backend.labels import VOC_CLASSES, read_labels

LISTS = "ImageSets/Segmentation"


def xml(*names: str, part: str = "head") -> str:
    objects = "".join(
        f"<object><name>{name}</name><part><name>{part}</name></part></object>" for name in names
    )
    return f"<annotation><filename>x.jpg</filename>{objects}</annotation>"


@pytest.fixture
def devkit(make_files: Callable, mask: Callable) -> Path:
    return make_files(
        {
            "JPEGImages/2007_000001.jpg": "photo",
            "JPEGImages/2007_000002.jpg": "photo",
            "JPEGImages/2008_000003.jpg": "photo",
            "SegmentationClass/2007_000001.png": mask(0, 8, 255),
            "SegmentationClassAug/2007_000001.png": mask(1),
            "SegmentationClassAug/2008_000003.png": mask(0, 12, 15),
            f"{LISTS}/train.txt": "2007_000001\n",
            f"{LISTS}/val.txt": "2007_000002\n",
            f"{LISTS}/train_aug.txt": "2008_000003\n2007_000001\n",
            "Annotations/2007_000001.xml": xml("cat", "person"),
            "Annotations/2007_000002.xml": xml("sheep", "sheep"),
        }
    )


def test_without_a_split_train_aug_is_taken_in_its_own_order(devkit: Path) -> None:
    source = open_source(devkit)
    assert (source.kind, source.split) == ("voc", "train_aug")
    assert [item.name for item in source.items] == ["2008_000003", "2007_000001"]
    assert source.splits == ["train", "train_aug", "val"]
    assert source.items[0].image == devkit / "JPEGImages" / "2008_000003.jpg"


def test_without_train_aug_train_is_taken_and_without_lists_all(devkit: Path) -> None:
    (devkit / LISTS / "train_aug.txt").unlink()
    assert [item.name for item in open_source(devkit).items] == ["2007_000001"]
    (devkit / LISTS / "train.txt").unlink()
    source = open_source(devkit)
    assert source.split is None
    assert len(source.items) == 3


def test_any_split_can_be_asked_for_and_all_means_every_image(devkit: Path) -> None:
    assert [item.name for item in open_source(devkit, "val").items] == ["2007_000002"]
    assert len(open_source(devkit, "all").items) == 3
    with pytest.raises(DataError, match=r"no split test. There are: train, train_aug, val; 'all'"):
        open_source(devkit, "test")


def test_tags_come_from_annotations_without_parts_else_from_masks(devkit: Path) -> None:
    source = open_source(devkit, "all")
    assert {item.name: item.tags for item in source.items} == {
        "2007_000001": (8, 15),  # an object named person has no mask, and is a tag all the same
        "2007_000002": (17,),
        "2008_000003": (12, 15),
    }
    assert source.notes == ("The tags of 1 images were taken from their true masks.",)
    assert list(source.classes.values()) == list(VOC_CLASSES)


def test_vocs_own_masks_win_over_sbds(devkit: Path) -> None:
    truths = {item.name: item.truth for item in open_source(devkit, "all").items}
    assert truths["2007_000001"] == devkit / "SegmentationClass" / "2007_000001.png"
    assert truths["2008_000003"] == devkit / "SegmentationClassAug" / "2008_000003.png"
    assert truths["2007_000002"] is None


def test_lists_of_pairs_of_paths_are_understood(devkit: Path, make_files: Callable) -> None:
    line = "/JPEGImages/2007_000001.jpg /SegmentationClassAug/2007_000001.png\n"
    outside = "/JPEGImages/2007_000002.jpg /../secret.png\n"
    (devkit / LISTS / "train_aug.txt").write_text(line + outside)
    (devkit.parent / "secret.png").write_bytes(b"")
    first, second = open_source(devkit).items
    assert first.truth == devkit / "SegmentationClassAug" / "2007_000001.png"
    assert (second.name, second.truth) == ("2007_000002", None)


@pytest.mark.parametrize(
    "above", ["VOCdevkit/VOC2012", "VOC2012", "VOC2007", "TrainVal/VOCdevkit/VOC2012"]
)
def test_a_devkit_is_found_below_the_folder_named(make_files: Callable, above: str) -> None:
    root = make_files(
        {f"{above}/JPEGImages/a.jpg": "photo", f"{above}/tags.csv": "image,tags\na,cat"}
    )
    source = open_source(root)
    assert source.root == root / above
    assert source.items[0].tags == (8,)


def test_tags_csv_wins_over_vectors_and_annotations(devkit: Path) -> None:
    np.save(devkit / "cls_labels.npy", {"2007_000001": np.eye(20)[0]}, allow_pickle=True)
    assert open_source(devkit, "train").items[0].tags == (1,)
    (devkit / "tags.csv").write_text("image,tags\n2007_000001.jpg,Cow bird\n2008_000003,dog\n")
    source = open_source(devkit, "train")
    assert source.items[0].tags == (3, 10)
    # Classes do not depend on the split, or networks of two splits would not fit together.
    assert source.classes == {3: "bird", 10: "cow", 12: "dog"}


def test_classes_txt_names_the_classes_of_a_devkit_of_its_own(
    make_files: Callable, mask: Callable
) -> None:
    root = make_files(
        {
            "JPEGImages/a.png": "photo",
            "SegmentationClass/a.png": mask(0, 2, 9),
            "classes.txt": "tram\nlamp\n",
        }
    )
    source = open_source(root)
    assert source.classes == {1: "tram", 2: "lamp"}
    assert source.items[0].tags == (2,)
    with pytest.raises(
        DataError, match=r"mask of a holds the unknown class id 9. Known ids: 0 .*1"
    ):
        source.truth(source.items[0])


def test_listed_images_that_are_missing_are_counted_and_named(devkit: Path) -> None:
    (devkit / LISTS / "train.txt").write_text("2007_000001\n2099_1\n2099_2\n")
    with pytest.raises(DataError, match=r"train\.txt names 2 images .*: 2099_1, 2099_2"):
        open_source(devkit, "train")


def test_an_empty_list_and_an_empty_devkit_are_refused(devkit: Path, tmp_path: Path) -> None:
    (devkit / LISTS / "train.txt").write_text("\n\n")
    with pytest.raises(DataError, match=r"train\.txt is empty. Write one image name a line"):
        open_source(devkit, "train")
    (tmp_path / "none" / "JPEGImages").mkdir(parents=True)
    with pytest.raises(DataError, match="JPEGImages holds no images"):
        open_source(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotation>", "is not readable XML"),
        ("not xml", "is not readable XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "declares XML entities"),
        (xml("catt"), "unknown tag 'catt' .nearest: cat"),
    ],
)
def test_a_broken_annotation_is_named(devkit: Path, text: str, words: str) -> None:
    (devkit / "Annotations" / "2007_000001.xml").write_text(text)
    with pytest.raises(DataError, match=f"2007_000001.xml.*{words}"):
        open_source(devkit, "train")


def test_a_pickle_in_place_of_vectors_runs_nothing(devkit: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "sprung",))

    np.save(devkit / "cls_labels.npy", np.array({"a": Trap()}, dtype=object), allow_pickle=True)
    assert b"sprung" in (devkit / "cls_labels.npy").read_bytes()
    with pytest.raises(DataError, match="nothing in it was run"):
        open_source(devkit)
    assert not (tmp_path / "sprung").exists()
    assert pickle.loads(pickle.dumps(1)) == 1


def test_the_real_set_is_read_with_the_eleven_classes_that_occur(shared_data: Path) -> None:
    source = open_source(shared_data / "msrc")
    assert (source.split, len(source.items)) == ("train", 266)
    assert source.splits == ["fit", "test", "train", "val"]
    words = "aeroplane bicycle bird boat car cat chair cow dog person sheep"
    assert list(source.classes.values()) == words.split()
    assert source.classes[17] == "sheep"
    for item in source.items[::20]:
        assert set(np.unique(source.truth(item)).tolist()) - {0, 255} <= set(source.classes)
        assert read_labels(item.truth).shape == source.truth(item).shape


def test_the_splits_of_the_real_set_part_it(shared_data: Path) -> None:
    names = {
        split: {item.name for item in open_source(shared_data / "msrc", split).items}
        for split in ("train", "fit", "val", "test")
    }
    assert names["fit"] | names["val"] == names["train"]
    assert not names["fit"] & names["val"]
    assert not names["train"] & names["test"]
