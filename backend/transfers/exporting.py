"""An export as a transfer: checked against its snapshot's digests, gone on with after a kill."""

from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import DataError, TagmaskError
from backend.exchange.export import FORMATS, entries_of
from backend.exchange.sources import open_source
from backend.exchange.writing import write_folder, write_zip
from backend.intake.bundles import bundle_of
from backend.transfers.holding import held
from backend.transfers.reporting import Report, Stopped, Tell, in_words

if TYPE_CHECKING:
    from backend.store import Transfer
    from backend.workspace import Workspace

BUNDLE = "bundle"
ALL_FORMATS = (*FORMATS, BUNDLE)


def begin_export(
    workspace: "Workspace", snapshot: str, format: str, path: Path, by: str
) -> "Transfer":
    """Enters an export to a folder, or a zip where `path` ends so; DataError for a wrong wish."""
    if format not in ALL_FORMATS:
        raise DataError(f"There is no format {format!r}; there are {', '.join(ALL_FORMATS)}.")
    if format == BUNDLE and path.suffix.lower() != ".zip":
        raise DataError(f"A bundle is a zip: call it {path}.zip.")
    frozen = workspace.store.snapshots.get(snapshot)
    return workspace.store.transfers.begin(
        "export", format, str(path), {"snapshot": frozen.digest}, by
    )


def run_export(workspace: "Workspace", id: int, tell: Tell | None = None) -> "Transfer":
    """Carries an export out, from where it stopped; the row at its end.

    Raises Stopped where it was cancelled, TagmaskError where it cannot be: nothing is left then.
    """
    transfers = workspace.store.transfers
    with held(workspace.root, id):
        transfer = transfers.resume(id)
        report = Report(workspace.store, transfer, tell)
        try:
            _write(workspace, transfer, report)
        except Stopped:
            transfers.end(id, "cancelled", report.said)
            raise
        except (TagmaskError, OSError) as error:
            told = in_words(error, transfer.path)
            report.fail(str(told))
            transfers.end(id, "failed", report.said)
            if told is error:
                raise
            raise told from error
        transfers.advance(id, report.total, report.counts, report.said)
        return transfers.end(id, "done", report.said)


def _write(workspace: "Workspace", transfer: "Transfer", report: Report) -> None:
    digest, path = str(transfer.options["snapshot"]), Path(transfer.path)
    if transfer.format == BUNDLE:
        entries, total = bundle_of(workspace, digest)
    else:
        source = open_source(workspace.store.snapshots.get(digest).path)
        entries, total = entries_of(source, transfer.format), len(source.items)
    begun = workspace.store.transfers.list_of(transfer.id, f"{digest} {transfer.format}", total)
    report.total = begun.total

    def tell(done: int) -> None:
        report(done, total)

    write = write_zip if path.suffix.lower() == ".zip" else write_folder
    write(entries, path, key=f"transfer-{transfer.id}", tell=tell)
    report.counts["images"] = total
