"""python -m backend, as a person would use it."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from backend import commands
from backend.__main__ import main
from backend.commands.backup import back_up
from backend.errors import WorkspaceError
from backend.exchange.sources import open_source
from backend.images import encode_png
from backend.labels import encode_labels, write_labels
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def called(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """A command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "backend", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A closed workspace: three images, of which one has an accepted mask."""
    with Workspace.create(tmp_path / "ws", "Pets", ["cat", "dog"]) as workspace:
        store = workspace.store
        for number in range(3):
            photo = encode_png(np.full((9, 9, 3), number, np.uint8))
            image = store.images.add(f"pet {number}", photo, source="test", tags=[1]).image
            labels = np.eye(9, dtype=np.uint8)
            store.candidates.add(image.id, None, "dcsp", encode_labels(labels), {"SC": 0.5})
        row = store.candidates.queue().rows[0]
        store.decisions.record(
            row.id, row.digest, "accept", reviewer="ada", session="s", action_id="1"
        )
    return tmp_path / "ws"


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from backend.__main__ import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'gradio', 'numpy', 'sqlite_utils'} & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in ("init", "import", "export", "snapshot", "status", "backup"):
        assert f"\n    {name} " in run.stdout
    assert run.stdout.endswith("[]\n")


def test_every_module_of_the_folder_is_a_command_with_a_summary() -> None:
    for name, module in commands.names().items():
        assert commands.summary(module)
        assert not name.endswith("_")


@pytest.mark.parametrize(
    "words", [(), ("nonsense",), ("status",), ("init", "x", "--scenes", "0"), ("init", "--what")]
)
def test_a_wrong_command_line_ends_with_usage(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    assert ended.value.code == 2
    assert "usage: python -m backend" in capsys.readouterr().err


def test_what_cannot_be_done_is_a_sentence_on_stderr(tmp_path: Path) -> None:
    done = called("status", tmp_path / "absent")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("tagmask: There is no workspace at ")
    assert done.stderr.count("\n") == 1


def test_init_makes_an_empty_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "ws"
    assert main(["init", str(root), "--name", "Pets", "--classes", "cat", "dog"]) == 0
    assert capsys.readouterr().out == f"{root}\n"
    with Workspace.open(root) as workspace:
        assert workspace.name == "Pets"
        assert [each.name for each in workspace.store.classes.all()] == ["cat", "dog"]
    assert main(["init", str(root)]) == 2
    assert main(["init", str(root), "--scenes", "3"]) == 2
    assert "not empty" in capsys.readouterr().err


def test_init_paints_scenes_with_tags_and_truth(tmp_path: Path) -> None:
    root = tmp_path / "ws"
    done = called("init", root, "--scenes", "3", "--seed", "4")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{root}\n"
    assert "Painting 3 sample scenes." in done.stderr
    with Workspace.open(root) as workspace:
        rows = workspace.store.images.page().rows
        assert len(rows) == 3
        assert all(row.tags and row.truth_digest for row in rows)
        assert len(workspace.store.classes.all()) == 10
        runs = workspace.store.runs.all()
        for candidate in workspace.store.candidates.queue().rows:
            assert candidate.run_id == runs[0].id
            assert candidate.score is not None
    assert [path.name for path in tmp_path.iterdir()] == ["ws"]


def test_an_init_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from backend.commands import init

    monkeypatch.setattr(init, "PROJECT", tmp_path)  # a place without the trainer
    assert main(["init", str(tmp_path / "ws"), "--scenes", "3"]) == 2
    assert "`python -m training scenes` ended with 1" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two tagged images with masks."""
    folder = tmp_path / "photos"
    (folder / "masks").mkdir(parents=True)
    for number in range(2):
        photo = encode_png(np.full((9, 9, 3), 100 + number, np.uint8))
        (folder / f"new {number}.png").write_bytes(photo)
        write_labels(folder / "masks" / f"new {number}.png", np.eye(9, dtype=np.uint8))
    (folder / "tags.csv").write_text("image,tags\nnew 0,dog\nnew 1,cat dog\n")
    (folder / "classes.txt").write_text("dog\ncat\n")
    return folder


def test_import_brings_a_folder_in_once(root: Path, photos: Path) -> None:
    words = ("import", root, photos, "--truth", "--as-candidates", "given")
    first, again = called(*words), called(*words)
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert first.stdout == "2 new images, 0 there already, 2 new candidates\n"
    assert again.stdout == "0 new images, 2 there already, 0 new candidates\n"
    assert "Images 2 of 2" in first.stderr
    with Workspace.open(root) as workspace:
        image = workspace.store.images.by_name("new_0")
        assert image is not None
        assert image.tags == (2,)  # dog is 2 here and 1 there
        assert image.truth_digest is not None


def test_import_tells_what_it_refused(root: Path, photos: Path) -> None:
    (photos / "new 0.png").write_bytes(b"not an image")
    done = called("import", root, photos)
    assert done.returncode == 1
    assert done.stdout == "1 new image, 0 there already\n"
    assert "tagmask: new_0 is not an image" in done.stderr
    (photos / "new 1.png").write_bytes(b"")
    none = called("import", root, photos)
    assert (none.returncode, none.stdout) == (2, "")
    assert "Nothing of" in none.stderr


def test_snapshot_freezes_lists_and_verifies(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["snapshot", str(root), "--name", "first", "--by", "ada"]) == 0
    digest, path = capsys.readouterr().out.split("\n")[:2]
    digest = digest.split()[0]
    assert Path(path).is_file()
    assert len(open_source(path).items) == 1
    assert main(["snapshot", str(root), "--list"]) == 0
    assert digest[:12] in capsys.readouterr().out
    assert main(["snapshot", str(root), "--verify", digest[:8]]) == 0
    assert "all as frozen" in capsys.readouterr().out
    assert main(["snapshot", str(root), "--tagged", "--name", "all"]) == 0
    assert "3 images" in capsys.readouterr().out
    assert main(["snapshot", str(root), "--with-undecided", "--name", "offered"]) == 0
    offered = capsys.readouterr().out.split("\n")[1]
    assert "candidate" in Path(offered).read_text()
    assert "candidate" not in Path(path).read_text()
    Path(path).write_text("{}")
    assert main(["snapshot", str(root), "--verify", digest]) == 2
    assert main(["snapshot", str(root), "--verdicts", "fix"]) == 2
    assert "nothing to freeze" in capsys.readouterr().err


def test_a_snapshot_leaves_as_voc_and_comes_back(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["snapshot", str(root), "--name", "first"]) == 0
    assert main(["export", str(root), "first", str(tmp_path / "out")]) == 0
    source = open_source(tmp_path / "out")
    assert source.kind == "voc"
    assert source.truth(source.items[0]).tolist() == np.eye(9).tolist()
    other = tmp_path / "other"
    assert main(["init", str(other)]) == 0
    assert main(["import", str(other), str(tmp_path / "out"), "--as-candidates", "voc"]) == 0
    with Workspace.open(other) as workspace:
        (row,) = workspace.store.candidates.queue().rows
        assert (row.method, row.tags) == ("voc", (1,))
    assert main(["export", str(root), "first", str(tmp_path / "out.zip"), "--format", "zip"]) == 0
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.testzip() is None
    third = tmp_path / "third"
    assert main(["init", str(third)]) == 0
    assert main(["import", str(third), str(tmp_path / "out.zip"), "--truth"]) == 0
    with Workspace.open(third) as workspace:
        (image,) = workspace.store.images.page().rows
        assert (image.tags, image.truth_digest) == ((1,), row.digest)
    assert not list(third.glob(".import-*"))
    capsys.readouterr()
    assert main(["export", str(root), "first", str(tmp_path / "out")]) == 2
    assert main(["export", str(root), "nobody", str(tmp_path / "new")]) == 2
    assert "no snapshot 'nobody'" in capsys.readouterr().err


def test_status_says_what_there_is(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(root), "--check"]) == 0
    told = capsys.readouterr().out
    assert "Images: 3. Classes: cat, dog." in told
    assert "Candidates: 3 (2 undecided, 1 accept, 0 reject, 0 fix, 0 skip)." in told
    assert "whole" in told
    assert main(["status", str(root), "--json"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["images"], state["decisions"], state["app"]) == (3, 1, None)
    with Workspace.open(root) as workspace, workspace.lock_app("http://127.0.0.1:7860"):
        assert main(["status", str(root)]) == 0
        assert "open at http://127.0.0.1:7860" in capsys.readouterr().out


def test_status_finds_a_damaged_file(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Workspace.open(root) as workspace:
        digest = workspace.store.images.get(1).digest
        workspace.files.path(digest).write_bytes(b"changed")
    assert main(["status", str(root), "--check"]) == 1
    assert f"The file {digest} is missing or damaged" in capsys.readouterr().err


def test_a_backup_is_a_workspace(root: Path, tmp_path: Path) -> None:
    with Workspace.open(root) as workspace:
        workspace.store.snapshots.freeze("first", "ada")
        (workspace.runs / "run").mkdir()
        (workspace.runs / "run" / "weights.safetensors").write_bytes(b"weights")
        copied = back_up(workspace, tmp_path / "kept")
        assert copied > 0
        assert back_up(workspace, tmp_path / "kept") == 0
        photo = encode_png(np.full((9, 9, 3), 77, np.uint8))
        workspace.store.images.add("later", photo, source="test")
        assert back_up(workspace, tmp_path / "kept", with_runs=True) == 2
    shutil.rmtree(root)
    with Workspace.open(tmp_path / "kept") as workspace:
        assert workspace.name == "Pets"
        assert workspace.store.images.count() == 4
        assert workspace.store.check() == []
        workspace.store.snapshots.verify(workspace.store.snapshots.all()[0].digest)
        assert (workspace.runs / "run" / "weights.safetensors").read_bytes() == b"weights"
    assert not [path for path in (tmp_path / "kept").iterdir() if "new" in path.name]


def test_a_backup_goes_where_nothing_else_is(root: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"")
    with Workspace.create(tmp_path / "other") as other, Workspace.open(root) as workspace:
        for place in (tmp_path / "photos", other.root):
            with pytest.raises(WorkspaceError, match="something else"):
                back_up(workspace, place)
        with pytest.raises(WorkspaceError, match="inside the workspace"):
            back_up(workspace, root / "kept")
        with pytest.raises(WorkspaceError, match="stopped"):
            back_up(workspace, tmp_path / "photos" / "one.jpg" / "kept")
    done = called("backup", root, tmp_path / "kept")
    assert done.returncode == 0, done.stderr
    # Three photographs and the mask they share.
    assert done.stdout == f"{tmp_path / 'kept'}: database and 4 new files\n"
    assert "Run folders were left out" in done.stderr
