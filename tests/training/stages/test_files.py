"""Digests of files, what is put into OUT, what is measured, and who may work in a folder."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backend.errors import DataError
from backend.exchange.sources import open_source
from backend.labels import read_labels, write_labels
from training.errors import TrainingError
from training.stages.files import FileDigests
from training.stages.lock import held
from training.stages.measuring import measured
from training.stages.publishing import publish, publish_weights, require_ours, take_back


def test_a_file_is_read_again_only_when_its_size_or_time_changed(tmp_path: Path):
    path, cache = tmp_path / "image.jpg", tmp_path / "at" / "files.json"
    path.write_bytes(b"one")
    first = FileDigests(cache)
    assert first.of(path) == hashlib.sha256(b"one").hexdigest()
    first.save()
    stamp = path.stat().st_mtime_ns
    path.write_bytes(b"two")
    os.utime(path, ns=(stamp, stamp))
    # Same size and time: what is known is believed, which is how one can see that it is used.
    assert FileDigests(cache).of(path) == hashlib.sha256(b"one").hexdigest()
    os.utime(path, ns=(stamp, stamp + 1))
    assert FileDigests(cache).of(path) == hashlib.sha256(b"two").hexdigest()


def test_a_damaged_cache_costs_only_time_and_a_missing_file_is_a_sentence(tmp_path: Path):
    path, cache = tmp_path / "image.jpg", tmp_path / "files.json"
    path.write_bytes(b"one")
    for wrong in ("{", "[]", '{"format": "tagmask-files/1", "files": {"' + str(path) + '": [3]}}'):
        cache.write_text(wrong)
        assert FileDigests(cache).of(path) == hashlib.sha256(b"one").hexdigest()
    with pytest.raises(DataError, match=r"gone\.jpg could not be read"):
        FileDigests().of(tmp_path / "gone.jpg")


def test_every_image_has_labels_in_the_end_and_nothing_of_an_earlier_pipeline_stays(
    voc: Path, tmp_path: Path
):
    source = open_source(voc, "train")
    made, out = tmp_path / "made", tmp_path / "out"
    for name in ("im0", "im1", "im3"):
        write_labels(made / f"{name}.png", np.full((32, 40), 8, np.uint8))
    out.mkdir()
    (out / "im9.png").write_bytes(b"of a list that is no more")
    checks = []
    told: list[str] = []

    def published(check: Callable[[], None] = lambda: None, *, fill: bool) -> list[str]:
        return publish(made, out, source, check, told.append, fill=fill)

    assert published(lambda: checks.append(1), fill=True) == ["im2"]
    assert sorted(path.stem for path in out.iterdir()) == ["im0", "im1", "im2", "im3"]
    assert (read_labels(out / "im2.png") == 255).all()
    assert (out / "im0.png").read_bytes() == (made / "im0.png").read_bytes()
    assert len(checks) >= 4

    kept = (out / "im0.png").stat().st_mtime_ns
    (out / "im1.png").write_bytes(b"spoilt")
    published(fill=True)
    assert (out / "im0.png").stat().st_mtime_ns == kept
    assert (read_labels(out / "im1.png") == 8).all()
    assert published(fill=False) == ["im2"]
    assert not (out / "im2.png").exists()
    # What was changed by hand is put back, and kept.
    aside = tmp_path / "set-aside" / "out"
    assert (aside / "im1.png").read_bytes() == b"spoilt"
    assert len(told) == 1
    assert told[0].endswith(f"they are kept in {aside}: im1.")


def test_a_persons_own_masks_outlive_the_next_pipeline(voc: Path, tmp_path: Path):
    source = open_source(voc, "train")
    made, out, told = tmp_path / "made", tmp_path / "labels", []
    for item in source.items:
        write_labels(made / f"{item.name}.png", np.full((32, 40), 8, np.uint8))
    publish(made, out, source, lambda: None, told.append, fill=True)
    for content in (b"mine", b"mine, too"):
        (out / "holiday.png").write_bytes(content)
        (out / "im0.png").write_bytes(content)
        publish(made, out, source, lambda: None, told.append, fill=True)
        assert not (out / "holiday.png").exists()
    aside = tmp_path / "set-aside" / "labels"
    found = {path.name: path.read_bytes() for path in aside.iterdir()}
    assert found == {
        "holiday.png": b"mine", "holiday-2.png": b"mine, too", "im0.png": b"mine",
        "im0-2.png": b"mine, too",
    }  # fmt: skip
    assert len(told) == 2
    (out / "later.png").write_bytes(b"mine")
    take_back(out, told.append)
    assert not out.exists()
    assert (aside / "later.png").read_bytes() == b"mine"


def test_a_pipeline_that_was_killed_while_it_published_knows_its_own_files(
    voc: Path, tmp_path: Path
):
    source = open_source(voc, "train")
    made, out, told = tmp_path / "made", tmp_path / "labels", []

    def making(id: int) -> None:
        for item in source.items:
            write_labels(made / f"{item.name}.png", np.full((32, 40), id, np.uint8))

    making(8)
    publish(made, out, source, lambda: None, told.append, fill=True)
    making(12)
    asked = iter(range(100))

    def killed() -> None:
        if next(asked) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(made, out, source, killed, told.append, fill=True)
    assert {int(read_labels(path).max()) for path in out.iterdir()} == {8, 12}
    making(13)
    publish(made, out, source, lambda: None, told.append, fill=True)
    assert {int(read_labels(path).max()) for path in out.iterdir()} == {13}
    assert told == []
    assert not (tmp_path / "set-aside").exists()


def test_pngs_of_somebody_else_are_not_replaced(tmp_path: Path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "mine.png").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"holds 1 PNGs that no pipeline wrote \(mine.png"):
        require_ours(tmp_path / "labels", known=False)
    require_ours(tmp_path / "labels", known=True)


def test_weights_are_replaced_whole_and_leave_the_stages_file_alone(tmp_path: Path):
    made, out = tmp_path / "made", tmp_path / "weights.safetensors"
    made.write_bytes(b"new")
    out.write_bytes(b"old")
    publish_weights(made, out)
    assert (out.read_bytes(), made.read_bytes()) == (b"new", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "weights.safetensors"]


def test_miou_counts_a_missing_label_map_as_background_and_is_kept_till_the_truth_changes(
    voc: Path, tmp_path: Path
):
    made = tmp_path / "stage" / "labels"
    # The upper half of each image is a cat: of four images three are right, one has no labels.
    for name in ("im0", "im1", "im2"):
        labels = np.zeros((32, 40), np.uint8)
        labels[:16] = 8
        write_labels(made / f"{name}.png", labels)

    def of(split: str) -> dict | None:
        return measured(
            made, made.parent, open_source(voc, split), FileDigests(), lambda: None, print
        )

    found = of("train")
    cat, background = 3 / 4, 4 / 5
    assert found["miou"] == pytest.approx(100 * (cat + background) / 2)
    assert (found["images"], found["missing"]) == (4, ["im3"])
    (made / "im0.png").unlink()
    assert of("train") == found
    (voc / "SegmentationClass" / "im3.png").unlink()
    assert of("train")["images"] == 3
    for name in ("im4", "im5"):
        (voc / "SegmentationClass" / f"{name}.png").unlink()
    assert of("val") is None


def test_a_lock_keeps_a_second_process_out_until_its_holder_dies(tmp_path: Path):
    path = tmp_path / "a.lock"
    script = (
        "import sys, time; from pathlib import Path; from training.stages.lock import held\n"
        "with held(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(TrainingError, match="Another pipeline is at work in"), held(path):
        pass

    def end() -> None:
        holder.kill()
        holder.wait()

    with held(path, waiting=end):
        assert holder.returncode is not None
