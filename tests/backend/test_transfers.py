"""Imports and exports that are killed, stopped and gone on with, as real processes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.errors import DataError, WorkspaceError
from backend.exchange import writing
from backend.exchange.entries import Entry
from backend.store import Transfer
from backend.transfers import (
    Stopped,
    begin_export,
    begin_import,
    cancel_transfer,
    held,
    is_held,
    place_of,
    run_export,
    run_import,
)
from backend.transfers.reporting import Report
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
COUNT = 900


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of many tagged JPEGs, no two alike."""
    folder = tmp_path_factory.mktemp("photos") / "set"
    folder.mkdir()
    generator = np.random.default_rng(0)
    lines = ["image,tags"]
    for number in range(COUNT):
        pixels = generator.integers(0, 256, (8, 8, 3), np.uint8)
        large = cv2.resize(pixels, (160, 120), interpolation=cv2.INTER_LINEAR)
        cv2.imwrite(str(folder / f"p{number:04d}.jpg"), large)
        lines.append(f"p{number:04d},cat")
    (folder / "tags.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    Workspace.create(tmp_path / "ws", "Test").close()
    return tmp_path / "ws"


def started(*words: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "backend", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "backend", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def waited_for(root: Path, fits: Callable[[Transfer], bool]) -> Transfer:
    """The newest transfer, once it is as wanted."""
    deadline = time.monotonic() + 60
    with Workspace.open(root, read_only=True) as looking:
        while time.monotonic() < deadline:
            found = looking.store.transfers.latest(1)
            if found and fits(found[0]):
                return found[0]
            time.sleep(0.005)
    raise AssertionError("the transfer did not get there")


def killed_in_the_middle(root: Path, *words: object) -> Transfer:
    process = started(*words)
    seen = waited_for(root, lambda each: 0 < each.done < each.total)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    return seen


def test_a_killed_import_goes_on_and_nothing_is_doubled(workspace: Path, photos: Path) -> None:
    seen = killed_in_the_middle(workspace, "import", workspace, photos)
    with Workspace.open(workspace) as looking:
        before = looking.store.images.count()
        assert seen.done <= before < COUNT
        assert not is_held(workspace, seen.id)
    listed = finished("transfers", workspace).stdout
    assert f"import interrupted, {looking_done(workspace):,} of {COUNT:,}" in listed
    done = finished("import", workspace, photos)
    assert done.returncode == 0, done.stderr
    assert f"Going on with transfer {seen.id} at" in done.stderr
    told = re.search(r"([\d,]+) new images?, ([\d,]+) there already", done.stdout)
    assert told is not None
    new, known = (int(number.replace(",", "")) for number in told.groups())
    # What was entered after the last progress that was kept is met again, and known then.
    assert new + known >= COUNT
    with Workspace.open(workspace) as whole:
        store = whole.store
        assert store.images.count() == COUNT
        assert store.images.numbers().tagged == COUNT
        assert store.doubles.copies() == []
        assert store.transfers.get(seen.id).state == "done"
        assert len(store.transfers.latest()) == 1
        assert store.check() == []
        assert all(len(store.images.tag_changes(id)) == 1 for id in range(1, COUNT + 1, 97))
    assert not place_of(workspace, seen.id).exists()


def looking_done(root: Path) -> int:
    with Workspace.open(root, read_only=True) as workspace:
        return workspace.store.transfers.latest(1)[0].done


def test_an_import_killed_again_and_again_comes_to_its_end(
    workspace: Path, photos: Path, long_sweep: bool
) -> None:
    for _ in range(20 if long_sweep else 1):
        process = started("import", workspace, photos)
        before = looking_done_or_none(workspace)
        waited_for(workspace, lambda each, was=before: each.done > was or each.state == "done")
        process.kill()
        process.wait()
    assert finished("import", workspace, photos).returncode == 0
    with Workspace.open(workspace) as whole:
        assert whole.store.images.count() == COUNT
        assert whole.store.check() == []


def looking_done_or_none(root: Path) -> int:
    with Workspace.open(root, read_only=True) as workspace:
        found = workspace.store.transfers.latest(1)
        return found[0].done if found else 0


def test_a_zip_is_unpacked_once_and_taken_away_at_the_end(
    workspace: Path, photos: Path, tmp_path: Path
) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "set"), "zip", photos))
    seen = killed_in_the_middle(workspace, "import", workspace, packed)
    unpacked = place_of(workspace, seen.id) / "unpacked"
    first = next(unpacked.rglob("p0000.jpg")).stat().st_mtime_ns
    with Workspace.open(workspace) as store:
        begun = begin_import(store, packed, "ada")
        assert begun.id == seen.id
        assert next(unpacked.rglob("p0000.jpg")).stat().st_mtime_ns == first
        done, _ = run_import(store, begun.id)
        assert (done.state, store.store.images.count()) == ("done", COUNT)
    assert not unpacked.exists()


def test_a_zip_that_was_killed_while_it_was_unpacked_goes_on_with_what_is_whole(
    workspace: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "set"), "zip", photos))
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(
            Report, "unpacked", lambda self, members, of: members == 400 and os._exit(9)
        )
        with Workspace.open(workspace) as store:
            run_import(store, begin_import(store, packed, "ada").id)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with Workspace.open(workspace, read_only=True) as store:
        (seen,) = store.store.transfers.latest()
    unpacked = place_of(workspace, seen.id) / "unpacked"
    written = sorted(unpacked.rglob("*.jpg"), key=lambda path: path.stat().st_mtime_ns)
    whole, torn = written[0], written[1]
    assert 390 < len(written) < 400
    assert whole.read_bytes() == (photos / whole.name).read_bytes()
    before = whole.stat().st_mtime_ns
    torn.write_bytes(torn.read_bytes()[:-9])
    kept: list[int] = []
    with Workspace.open(workspace) as store:
        begun = begin_import(store, packed, "ada")
        assert begun.id == seen.id

        def look(done: int, total: int) -> None:
            kept.append(whole.stat().st_mtime_ns)

        done, refused = run_import(store, begun.id, look)
        assert (done.state, refused.count, store.store.images.count()) == ("done", 0, COUNT)
        assert store.store.check() == []
    assert set(kept) == {before}
    assert list((workspace / "transfers").iterdir()) == []


def test_another_zip_under_the_name_of_one_that_failed_is_unpacked_anew(
    workspace: Path, photos: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "set.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(photos / "p0000.jpg", "p0000.jpg")
        archive.writestr("tags.csv", "image,tags\nnobody,cat\n")
    with Workspace.open(workspace) as store:
        begun = begin_import(store, packed, "ada")
        with pytest.raises(DataError, match="nobody"):
            run_import(store, begun.id)
        assert "nobody" in store.store.transfers.get(begun.id).said[-1]
        with zipfile.ZipFile(packed, "w") as archive:
            archive.write(photos / "p0001.jpg", "p0001.jpg")
            archive.writestr("tags.csv", "image,tags\np0001,dog\n")
        again = begin_import(store, packed, "ada")
        done, _ = run_import(store, again.id)
        assert (again.id, done.state) == (begun.id, "done")
        assert [image.name for image in store.store.images.page().rows] == ["p0001"]
        # What it failed of before is no news of one that came to its end.
        assert done.said == ()
    assert list((workspace / "transfers").iterdir()) == []


def test_what_was_refused_before_a_kill_is_still_told(workspace: Path, photos: Path) -> None:
    folder = workspace.parent / "copy"
    shutil.copytree(photos, folder)
    (folder / "p0003.jpg").write_bytes((folder / "p0003.jpg").read_bytes()[:200])
    killed_in_the_middle(workspace, "import", workspace, folder)
    with Workspace.open(workspace) as store:
        done, _ = run_import(store, begin_import(store, folder, "ada").id)
        assert any("p0003" in sentence for sentence in done.said)
        assert (done.counts["refused"], store.store.images.count()) == (1, COUNT - 1)


def test_a_list_that_changed_is_begun_from_its_start(workspace: Path, photos: Path) -> None:
    folder = workspace.parent / "copy"
    shutil.copytree(photos, folder)
    seen = killed_in_the_middle(workspace, "import", workspace, folder)
    (folder / "a-first.jpg").write_bytes((folder / "p0000.jpg").read_bytes()[:-2] + b"x\xff\xd9")
    with Workspace.open(workspace) as store:
        done, _ = run_import(store, seen.id)
        assert done.done == COUNT + 1
        assert store.store.images.by_name("a-first") is not None


def test_somebody_else_can_stop_it_and_what_came_in_stays(workspace: Path, photos: Path) -> None:
    process = started("import", workspace, photos)
    seen = waited_for(workspace, lambda each: 0 < each.done < each.total)
    # Held still, so that however slow this machine is it has not ended meanwhile.
    process.send_signal(signal.SIGSTOP)
    assert finished("transfers", workspace, "--cancel", seen.id).returncode == 0
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "was cancelled" in said
    with Workspace.open(workspace) as store:
        assert store.store.transfers.get(seen.id).state == "cancelled"
        assert 0 < store.store.images.count() < COUNT
        again = begin_import(store, photos, "ada")
        assert again.id != seen.id
        run_import(store, again.id)
        assert store.store.images.count() == COUNT
    assert not place_of(workspace, seen.id).exists()


def test_two_processes_never_work_on_one_transfer(workspace: Path, photos: Path) -> None:
    with Workspace.open(workspace) as store:
        begun = begin_import(store, photos, "ada")
        with held(workspace, begun.id):
            assert is_held(workspace, begun.id)
            with pytest.raises(WorkspaceError, match="Another process works"):
                run_import(store, begun.id)
        assert not is_held(workspace, begun.id)


def test_what_failed_says_why_and_goes_on(workspace: Path, tmp_path: Path) -> None:
    with Workspace.open(workspace) as store:
        begun = begin_import(store, tmp_path / "absent", "ada")
        with pytest.raises(DataError, match="does not exist"):
            run_import(store, begun.id)
        failed = store.store.transfers.get(begun.id)
        assert failed.state == "failed"
        assert "does not exist" in failed.said[0]
        (tmp_path / "absent").mkdir()
        cv2.imwrite(str(tmp_path / "absent" / "a.png"), np.zeros((9, 9, 3), np.uint8))
        assert begin_import(store, tmp_path / "absent", "ada").id == begun.id
        done, _ = run_import(store, begun.id)
        assert (done.state, done.said) == ("done", ())


def test_why_it_failed_is_said_however_much_was_said_before(workspace: Path) -> None:
    with Workspace.open(workspace) as store:
        begun = begin_import(store, workspace.parent / "absent", "ada")
        said = [f"remark {number}" for number in range(60)]
        store.store.transfers.advance(begun.id, 0, {}, said)
        with pytest.raises(DataError):
            run_import(store, begun.id)
        assert "does not exist" in store.store.transfers.get(begun.id).said[-1]


def test_a_file_that_went_away_meanwhile_is_named(
    workspace: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workspace.parent / "copy"
    shutil.copytree(photos, folder)

    def listing_of(source: object) -> str:
        return str((folder / "gone.jpg").stat())

    monkeypatch.setattr("backend.transfers.importing.listing_of", listing_of)
    with Workspace.open(workspace) as store:
        begun = begin_import(store, folder, "ada")
        with pytest.raises(DataError, match=r"gone\.jpg could not be read"):
            run_import(store, begun.id)
        assert store.store.transfers.get(begun.id).state == "failed"


@pytest.fixture
def frozen(workspace: Path, photos: Path) -> Path:
    with Workspace.open(workspace) as store:
        run_import(store, begin_import(store, photos, "ada").id)
        store.store.snapshots.freeze("all", "ada", include="tagged")
    return workspace


@pytest.mark.parametrize("name", ["out.zip", "out"])
def test_a_killed_export_goes_on_and_ends_the_same(frozen: Path, tmp_path: Path, name: str) -> None:
    whole, broken = tmp_path / "whole" / name, tmp_path / "broken" / name
    assert finished("export", frozen, "all", whole, "--format", "coco").returncode == 0
    killed_in_the_middle(frozen, "export", frozen, "all", broken, "--format", "coco")
    assert not broken.exists()
    left = [path for path in broken.parent.iterdir() if path.name.endswith(".partial")]
    assert len(left) == 1
    done = finished("export", frozen, "all", broken, "--format", "coco")
    assert done.returncode == 0, done.stderr
    assert contents(broken) == contents(whole)
    assert [path.name for path in broken.parent.iterdir()] == [name]
    assert list((frozen / "transfers").iterdir()) == []


def contents(path: Path) -> dict[str, bytes]:
    if path.is_file():
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            return {info.filename: archive.read(info) for info in archive.infolist()}
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_a_zip_goes_on_after_its_last_kept_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at every place, with the directory kept every third file, the bytes are the same."""
    monkeypatch.setattr(writing, "_KEPT_EVERY", 3)
    read: list[int] = []

    def entries(until: int | None = None) -> list[Entry]:
        def content(number: int) -> bytes:
            if number == until:
                os._exit(9)
            read.append(number)
            return bytes([number]) * (50 + number)

        return [Entry(f"{n}.bin", lambda n=n: content(n), n) for n in range(11)]

    whole = writing.write_zip(entries(), tmp_path / "a" / "out.zip").read_bytes()
    for place in range(11):
        target = tmp_path / str(place) / "out.zip"
        child = os.fork()
        if child == 0:
            writing.write_zip(entries(place), target, key="k")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        read.clear()
        assert writing.write_zip(entries(), target, key="k").read_bytes() == whole
        assert read == [*range(place // 3 * 3, 11)]
        assert [path.name for path in target.parent.iterdir()] == ["out.zip"]


def test_a_stopped_export_leaves_nothing(frozen: Path, tmp_path: Path) -> None:
    with Workspace.open(frozen) as store:
        begun = begin_export(store, "all", "voc", tmp_path / "out" / "voc.zip", "ada")

        def stop(done: int, total: int) -> None:
            if done == 200:
                cancel_transfer(store, begun.id)

        with pytest.raises(Stopped):
            run_export(store, begun.id, stop)
        assert list((tmp_path / "out").iterdir()) == []
        assert store.store.transfers.get(begun.id).state == "cancelled"
