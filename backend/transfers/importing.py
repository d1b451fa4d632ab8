"""An import as a transfer: unpacked once, gone on with after a kill, tidied up at its end."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.atomic import write_whole
from backend.errors import DataError, TagmaskError
from backend.exchange.archive import Limits, extract
from backend.exchange.bundle import Bundle, find_bundle, open_bundle
from backend.exchange.items import Source
from backend.exchange.sources import open_exchange
from backend.intake import Import, take_in_source
from backend.intake.bundles import take_in_bundle
from backend.intake.data_sets import listing_of
from backend.intake.masks import Refusals
from backend.store.files import sync_disk
from backend.transfers.holding import held
from backend.transfers.reporting import Report, Stopped, Tell, in_words

if TYPE_CHECKING:
    from backend.store import Transfer
    from backend.workspace import Workspace

LARGE = Limits(members=300_000, total_bytes=100_000_000_000)
"""What an archive may hold that a person at the command line, or a chunked upload, brings."""

_UNPACKED = "unpacked.json"
"""Says which archive was unpacked, and whether all of it was."""

_OF_THE_ARCHIVE = ("unpacked", "members", "left_out")


def begin_import(
    workspace: "Workspace",
    path: Path,
    by: str,
    *,
    split: str | None = None,
    truth: bool = False,
    as_candidates: str | None = None,
    images: Path | None = None,
    by_folders: bool = False,
) -> "Transfer":
    """Enters an import, or gives the same one back where it was not finished."""
    options: dict[str, Any] = {"truth": truth, "as_candidates": as_candidates, "split": split}
    options |= {"by_folders": by_folders, "images": None if images is None else str(images)}
    return workspace.store.transfers.begin("import", "", str(path), options, by)


def run_import(
    workspace: "Workspace", id: int, tell: Tell | None = None
) -> tuple["Transfer", Refusals]:
    """Carries an import out, from where it stopped; the row at its end, and what was refused.

    Raises Stopped where it was cancelled, and TagmaskError where it cannot go on; the row then says
    "failed" and why, and the same import goes on from there.
    """
    transfers = workspace.store.transfers
    with held(workspace.root, id) as place:
        transfer = transfers.resume(id)
        report = Report(workspace.store, transfer, tell)
        try:
            done = _bring_in(workspace, transfer, place, report)
        except Stopped:
            transfers.end(id, "cancelled", report.said)
            shutil.rmtree(place, ignore_errors=True)
            raise
        except (TagmaskError, OSError) as error:
            told = in_words(error, transfer.path)
            report.fail(str(told).replace(f"{place}/unpacked", Path(transfer.path).name))
            transfers.end(id, "failed", report.said)
            if told is error:
                raise
            raise told from error
        report.done = report.total
        transfers.advance(id, report.done, report.counts, report.said)
        shutil.rmtree(place, ignore_errors=True)
        return transfers.end(id, "done", report.said), done.refused


def _bring_in(workspace: "Workspace", transfer: "Transfer", place: Path, report: Report) -> Import:
    path, options = Path(transfer.path), transfer.options
    within = None
    if path.is_file() and zipfile.is_zipfile(path):
        path = within = _unpacked(path, place, report)
    bundled = find_bundle(path)
    origin = str(options.get("origin") or transfer.path)
    if bundled is not None:
        bundle = open_bundle(bundled)
        source = Source("bundle", bundled, bundle.classes, bundle.items())
        transfer = _listed(workspace, transfer, source, report)
        return _bundle(workspace, bundle, transfer, report)
    images = options.get("images")
    source = open_exchange(
        path,
        options.get("split") or "all",
        within=within,
        images=None if images is None else Path(images),
        by_folders=bool(options.get("by_folders")),
    )
    for note in source.notes:
        report.say(note)
    transfer = _listed(workspace, transfer, source, report)
    refused = Refusals()

    def tell(done: int, total: int) -> None:
        # Kept with the progress: after a kill, what came before it is not looked at again.
        for sentence in refused.sentences:
            report.say(sentence)
        report(done, total)

    done = take_in_source(
        workspace.store,
        source,
        origin=origin,
        truth=bool(options.get("truth")),
        as_candidates=options.get("as_candidates"),
        progress=tell,
        start=transfer.done,
        counted=report.counts,
        refused=refused,
    )
    if source.items and not done.new and not done.known:
        why = f" {done.refused.sentences[0]}" if done.refused.sentences else ""
        raise DataError(f"Nothing of {origin} could be brought in.{why}")
    for sentence in done.refused.told():
        report.say(sentence)
    return done


def _bundle(workspace: "Workspace", bundle: Bundle, transfer: "Transfer", report: Report) -> Import:
    done, said = take_in_bundle(
        workspace.store, bundle, progress=report, start=transfer.done, counted=report.counts
    )
    for sentence in [*done.refused.told(), *said]:
        report.say(sentence)
    return done


def _listed(
    workspace: "Workspace", transfer: "Transfer", source: Source, report: Report
) -> "Transfer":
    """The row, which knows now what list its `done` counts in."""
    listing, total = listing_of(source), len(source.items)
    begun = workspace.store.transfers.list_of(transfer.id, listing, total)
    report.done, report.total = begun.done, total
    # What was counted in another list counts no more; what was unpacked was not counted in any.
    kept = {name: n for name, n in report.counts.items() if name in _OF_THE_ARCHIVE}
    report.counts = kept | begun.counts
    report.keep()
    return begun


def _unpacked(path: Path, place: Path, report: Report) -> Path:
    """What a zip holds, on the workspace's own disk; what is unpacked of it is so only once."""
    root, note = place / "unpacked", place / _UNPACKED
    about = path.stat()
    this = {"bytes": about.st_size, "changed": about.st_mtime_ns}
    told = _told_by(note)
    if told.get("archive") != this:
        # Another archive under the name of one that failed or was killed: nothing of that counts.
        shutil.rmtree(root, ignore_errors=True)
        write_whole(note, json.dumps({"archive": this, "whole": False}).encode(), sync=True)
    if told != {"archive": this, "whole": True}:
        extracted = extract(path, root, LARGE, tell=report.unpacked, resume=True)
        for member in extracted.refused:
            report.say(f"{path.name}: {member}")
        report.counts["left_out"] = len(extracted.refused)
        report.keep()
        sync_disk(root)
        write_whole(note, json.dumps({"archive": this, "whole": True}).encode(), sync=True)
    return root


def _told_by(note: Path) -> dict[str, Any]:
    try:
        told = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
