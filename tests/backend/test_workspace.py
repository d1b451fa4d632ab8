"""One folder is one project."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backend.errors import StoreError, WorkspaceError
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a closed workspace with two classes."""
    Workspace.create(tmp_path / "ws", "My project", ["cat", "dog"]).close()
    return tmp_path / "ws"


def test_a_workspace_opens_as_it_was_made(root: Path) -> None:
    with Workspace.open(root) as workspace:
        assert (workspace.name, workspace.root, workspace.read_only) == ("My project", root, False)
        assert [each.name for each in workspace.store.classes.all()] == ["cat", "dog"]
        for folder in (workspace.runs, workspace.snapshots, workspace.logs, workspace.files.root):
            assert folder.parent == root
            assert folder.is_dir()
    settings = json.loads((root / "workspace.json").read_text())
    assert (settings["format"], settings["name"]) == (1, "My project")


def test_two_workspaces_have_ids_of_their_own(root: Path, tmp_path: Path) -> None:
    Workspace.create(tmp_path / "other").close()
    ids = {json.loads((r / "workspace.json").read_text())["id"] for r in (root, tmp_path / "other")}
    assert len(ids) == 2


def test_a_workspace_is_not_made_over_something(root: Path, tmp_path: Path) -> None:
    before = contents(root)
    with pytest.raises(WorkspaceError, match="is a workspace already"):
        Workspace.create(root)
    assert contents(root) == before
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"")
    with pytest.raises(WorkspaceError, match="not empty"):
        Workspace.create(tmp_path / "photos")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkspaceError, match="cannot be made in"):
        Workspace.create(tmp_path / "file" / "ws")


def test_a_missing_workspace_is_explained_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"There is no workspace at .*init"):
        Workspace.open(tmp_path / "absent")
    with pytest.raises(WorkspaceError, match="is not a workspace"):
        Workspace.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be read"),
        ("[]", "not a workspace's settings"),
        ('{"name": "x"}', "not a workspace's settings"),
        ('{"format": 2}', "update Tagmask"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_settings_of_another_kind_are_left_alone(
    root: Path, text: str, sentence: str, read_only: bool
) -> None:
    (root / "workspace.json").write_text(text)
    before = contents(root)
    with pytest.raises(WorkspaceError, match=sentence):
        Workspace.open(root, read_only=read_only)
    assert contents(root) == before


def test_a_workspace_without_its_database_is_left_alone(root: Path) -> None:
    (root / "tagmask.db").unlink()
    before = contents(root)
    with pytest.raises(StoreError, match="no database"):
        Workspace.open(root)
    assert contents(root) == before


def test_looking_on_writes_nothing(root: Path) -> None:
    shutil.rmtree(root / "logs")
    before = contents(root), sorted(root.iterdir())
    with Workspace.open(root, read_only=True) as workspace, workspace.lock_app("http://here"):
        assert len(workspace.store.classes.all()) == 2
        with pytest.raises(StoreError, match="reading only"):
            workspace.store.classes.add("cow")
    assert (contents(root), sorted(root.iterdir())) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_workspace_that_cannot_be_written_is_explained(root: Path) -> None:
    root.chmod(0o555)
    try:
        with pytest.raises(WorkspaceError, match="--read-only"):
            Workspace.open(root)
        Workspace.open(root, read_only=True).close()
    finally:
        root.chmod(0o755)


def test_a_second_web_app_is_told_of_the_first(root: Path) -> None:
    with Workspace.open(root) as one, Workspace.open(root) as two:
        with one.lock_app("http://127.0.0.1:7860"):
            with (
                pytest.raises(WorkspaceError, match=r"at http://127\.0\.0\.1:7860 \(process \d+\)"),
                two.lock_app("http://127.0.0.1:7861"),
            ):
                pass
            holder = two.app_holder()
            assert holder is not None
            assert (holder["address"], holder["pid"]) == ("http://127.0.0.1:7860", os.getpid())
            # The database itself is shared.
            two.store.classes.add("cow")
            assert "cow" in one.store.classes.by_name()
        assert two.app_holder() is None
        with two.lock_app("http://127.0.0.1:7861"):
            assert one.app_holder() is not None


def test_the_lock_ends_with_the_process_that_held_it(root: Path) -> None:
    code = (
        "import sys, os, signal\n"
        "from backend.workspace import Workspace\n"
        "with Workspace.open(sys.argv[1]) as w, w.lock_app('http://gone'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(root)], cwd=ROOT, check=False)
    assert "gone" in (root / "app.lock").read_text()
    with Workspace.open(root) as workspace:
        assert workspace.app_holder() is None
        with workspace.lock_app("http://here"):
            assert "here" in (root / "app.lock").read_text()


def test_a_moved_workspace_opens(root: Path, tmp_path: Path) -> None:
    root.rename(tmp_path / "moved")
    with Workspace.open(tmp_path / "moved") as workspace:
        assert workspace.name == "My project"


def test_the_store_needs_no_gradio_and_no_torch() -> None:
    code = "import sys, backend.workspace, backend.intake; print(*sorted(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    assert {"gradio", "torch", "ui", "training"}.isdisjoint(loaded)
