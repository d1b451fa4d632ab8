"""`python -m backend users`, run as a person or a script runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    Workspace.create(tmp_path / "w", "Users").close()
    return tmp_path / "w"


def users(*words: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "backend", "users", *map(str, words)]
    return subprocess.run(
        command, cwd=ROOT, input=typed, capture_output=True, text=True, check=False
    )


def test_users_are_added_listed_changed_and_shut_out(workspace: Path) -> None:
    added = users("add", workspace, "Ana", "--role", "viewer", typed=f"{PASSWORD}\n")
    assert added.returncode == 0, added.stderr
    assert "Nobody is a trainer yet" in added.stderr
    made = users("add", workspace, "ben", "--role", "trainer", "--generate")
    password = made.stdout.splitlines()[-1]
    assert users("role", workspace, "Ana", "--role", "reviewer").returncode == 0
    assert users("disable", workspace, "ben").returncode == 0
    listed = [line.split("  ") for line in users("list", workspace).stdout.splitlines()]
    assert [(name, role, state.split()[0]) for name, role, state in listed] == [
        ("Ana", "reviewer", "since"),
        ("ben", "trainer", "disabled"),
    ]
    with Workspace.open(workspace) as opened:
        assert opened.store.users.check("ana", PASSWORD) is not None
        assert opened.store.users.check("ben", password) is None
    assert users("enable", workspace, "ben").returncode == 0
    assert users("password", workspace, "ben", typed=f"{PASSWORD}\n").returncode == 0
    with Workspace.open(workspace) as opened:
        assert opened.store.users.check("ben", PASSWORD) is not None
        assert opened.store.users.check("ben", password) is None


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("add", "W", "ana"), "short\n", "10 to 1,024 characters"),
        (("add", "W", "ana"), "", "10 to 1,024 characters"),
        (("password", "W", "nobody"), PASSWORD, "no user 'nobody'"),
        (("disable", "W", "nobody"), "", "no user 'nobody'"),
        (("add", "W", "a\x07b", "--generate"), "", "can be printed"),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(
    workspace: Path, words: tuple[str, ...], typed: str, said: str
) -> None:
    done = users(*(workspace if each == "W" else each for each in words), typed=typed)
    assert done.returncode == 2
    assert said in done.stderr
    with Workspace.open(workspace) as opened:
        assert not opened.store.users.any()


def test_no_command_takes_a_password_as_an_argument() -> None:
    """Everybody on a machine can read what a command was started with."""
    for action in ("add", "password"):
        options = users(action, "--help").stdout
        assert "--password" not in options.replace("--no-password", "")
