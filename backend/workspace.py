"""One folder is one project: its paths, its settings, how it is made and opened."""

import fcntl
import json
import os
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.errors import DataError, WorkspaceError
from backend.store.files import FileStore, write_durably
from backend.store.opening import Store, create_store, open_store

FORMAT = 1
_FOLDERS = ("files", "runs", "snapshots", "logs")


@dataclass(frozen=True)
class Workspace:
    """An open workspace. `settings` is what workspace.json holds; the folders exist."""

    root: Path
    store: Store
    settings: dict[str, Any]
    read_only: bool

    @classmethod
    def create(
        cls, root: str | Path, name: str | None = None, classes: Iterable[str] = ()
    ) -> "Workspace":
        """Makes a workspace in a folder that is new or empty; `classes` get ids 1, 2, ..."""
        root = Path(root).expanduser().absolute()
        if (root / "workspace.json").exists() or (root / "tagmask.db").exists():
            raise WorkspaceError(
                f"{root} is a workspace already; open it, or choose another folder."
            )
        try:
            root.mkdir(parents=True, exist_ok=True)
            if any(root.iterdir()):
                raise WorkspaceError(
                    f"{root} is not empty. Choose a new folder for the workspace, so that nothing "
                    "of yours is mixed up with it."
                )
            for folder in _FOLDERS:
                (root / folder).mkdir(exist_ok=True)
            store = create_store(root / "tagmask.db", root / "files")
            for each in classes:
                store.classes.add(each)
            settings = {
                "format": FORMAT,
                "id": uuid.uuid4().hex,
                "name": name or root.name,
                "created": datetime.now(UTC).replace(microsecond=0).isoformat(),
            }
            write_durably(root / "workspace.json", _encoded(settings))
        except (OSError, DataError) as error:
            raise WorkspaceError(
                f"A workspace cannot be made in {root}: {error}. Choose a folder that this user "
                "may write in."
            ) from error
        return cls(root, store, settings, read_only=False)

    @classmethod
    def open(cls, root: str | Path, *, read_only: bool = False) -> "Workspace":
        """Opens a workspace; WorkspaceError or StoreError where it cannot be, nothing changed."""
        root = Path(root).expanduser().absolute()
        settings = _settings(root)
        if not read_only and not os.access(root, os.W_OK):
            raise WorkspaceError(
                f"The workspace {root} cannot be written by this user. Give permission to write "
                "there, or open it with --read-only."
            )
        store = open_store(root / "tagmask.db", root / "files", read_only=read_only)
        if not read_only:
            for folder in _FOLDERS:
                (root / folder).mkdir(exist_ok=True)
        return cls(root, store, settings, read_only)

    @property
    def name(self) -> str:
        """What the workspace is called."""
        return str(self.settings["name"])

    @property
    def files(self) -> FileStore:
        """Images and masks by digest."""
        return self.store.files

    @property
    def runs(self) -> Path:
        """The folder of run folders."""
        return self.root / "runs"

    @property
    def snapshots(self) -> Path:
        """The folder of snapshots."""
        return self.root / "snapshots"

    @property
    def logs(self) -> Path:
        """The folder of logs."""
        return self.root / "logs"

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the store."""
        self.store.close()

    def app_holder(self) -> dict[str, Any] | None:
        """The web app that holds the workspace (pid, host, address), or None; nothing is locked."""
        try:
            with (self.root / "app.lock").open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    holder = json.loads(file.read() or "null")
                    return holder if isinstance(holder, dict) else None
        except (OSError, ValueError):
            return None
        return None

    @contextmanager
    def lock_app(self, address: str) -> Iterator[None]:
        """Holds the workspace for one web app, which is at `address`.

        Raises WorkspaceError with the other one's address where a web app holds it. The lock ends
        with the process, however it ends. A read-only workspace needs no lock.
        """
        if self.read_only:
            yield
            return
        path = self.root / "app.lock"
        with path.open("a+") as file:
            for patience in (0.1, 0.2, 0.4, 0.0):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    # `app_holder` of a passing `status` holds it for an instant, and names nobody.
                    file.seek(0)
                    held_by = file.read()
                    if held_by or not patience:
                        raise WorkspaceError(
                            f"The workspace {self.root} is open already: {_holder(held_by)}. Use "
                            "that one, stop it first, or look on with --read-only."
                        ) from error
                    time.sleep(patience)
            _hold(file, {"pid": os.getpid(), "host": socket.gethostname(), "address": address})
            try:
                yield
            finally:
                _hold(file, None)


def _settings(root: Path) -> dict[str, Any]:
    path = root / "workspace.json"
    if not root.is_dir():
        raise WorkspaceError(
            f"There is no workspace at {root}. `python -m backend init {root}` makes one."
        )
    try:
        settings = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise WorkspaceError(
            f"{root} is not a workspace: it has no workspace.json. `python -m backend init` makes "
            "a workspace in a new folder."
        ) from error
    except (OSError, ValueError) as error:
        raise WorkspaceError(
            f"{path} cannot be read ({error}). Restore it from a backup."
        ) from error
    if not isinstance(settings, dict) or not isinstance(settings.get("format"), int):
        raise WorkspaceError(f"{path} is not a workspace's settings. Restore it from a backup.")
    if settings["format"] > FORMAT:
        raise WorkspaceError(
            f"The workspace {root} has format {settings['format']}, this program knows formats up "
            f"to {FORMAT}. Nothing was changed; update Tagmask to open it."
        )
    settings.setdefault("name", root.name)
    return settings


def _encoded(settings: dict[str, Any]) -> bytes:
    return (json.dumps(settings, indent=2, ensure_ascii=False) + "\n").encode()


def _hold(file: Any, holder: dict[str, Any] | None) -> None:
    file.seek(0)
    file.truncate()
    if holder is not None:
        file.write(json.dumps(holder))
    file.flush()


def _holder(text: str) -> str:
    try:
        holder = json.loads(text)
        return f"Tagmask runs at {holder['address']} (process {holder['pid']})"
    except (ValueError, KeyError, TypeError):
        return "another Tagmask is starting on it"
