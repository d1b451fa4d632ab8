"""What a run's report tells: gathered from the workspace and from the run's folder."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.errors import DataError, TagmaskError
from backend.images import encode_jpeg, read_image
from backend.labels import decode_labels
from backend.measured import read_parts
from backend.showing.curves import Curves, events_in, read_curves
from backend.showing.measuring import count
from backend.showing.painting import Look, Picture, paint
from backend.showing.sides import masks_of

if TYPE_CHECKING:
    from backend.store import Image, Run
    from backend.workspace import Workspace

EXAMPLES = 6
SIDE = 360
LARGEST = 8 << 20
# A run's masks where it left some as files, the better ones first.
MASKS = ("predictions", "labels")
RANKED_BY = ("SF", "SC", "score", "AC")
# From the root of a machine; addresses of other machines and paths from WORKSPACE are none.
_PATH = re.compile(r"(?<![\w.~…:/-])~?/(?:[^/\s\"',:;]+/)+([^/\s\"',:;]*)")


@dataclass(frozen=True)
class Example:
    """One image with the run's mask and, where it is known, the true one; JPEG bytes."""

    name: str
    value: float
    mask: bytes
    truth: bytes | None
    classes: dict[str, str]


@dataclass
class Report:
    """Everything that the page shows; empty parts are left out there with a word."""

    title: str
    recipe: str
    workspace: str
    facts: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    curves: Curves = field(default_factory=Curves)
    evaluation: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    ranked_by: str = ""
    masks: int = 0
    best: list[Example] = field(default_factory=list)
    worst: list[Example] = field(default_factory=list)
    colours: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def gather(workspace: "Workspace", wanted: str | int) -> Report:
    """A run by its number; as text also by its name or its folder (in the workspace or not).

    Raises DataError where there is no such run.
    """
    run, folder = _find(workspace, wanted)
    config = _object(folder / "config.json")
    report = Report(
        title=run.name if run else folder.name,
        recipe=run.recipe if run else str(config.get("recipe", "")),
        workspace=workspace.name,
        curves=read_curves(folder),
        evaluation=read_parts(folder),
        colours={each.name: each.colour for each in workspace.store.classes.all()},
    )
    report.settings = config.pop("settings", None) or {}
    if run and not report.settings:
        report.settings = dict(run.config)
    report.provenance = {**config, **_object(folder / "provenance.json")}
    report.metrics = _numbers(run.metrics if run else _last_metrics(folder))
    _facts(workspace, run, report)
    _masks(workspace, run, folder, report)
    return _without_paths(report, workspace)


def _find(workspace: "Workspace", wanted: str | int) -> tuple["Run | None", Path]:
    if isinstance(wanted, int):
        run = workspace.store.runs.get(wanted)
        return run, workspace.root / run.folder
    runs = workspace.store.runs.all()
    named = [each for each in runs if str(each.id) == wanted or each.name == wanted]
    if len(named) > 1:
        raise DataError(f"{len(named)} runs are called {wanted[:60]!r}; say which by its number.")
    if named:
        return named[0], workspace.root / named[0].folder
    path = Path(wanted)
    if (path / "config.json").is_file():
        own = [each for each in runs if (workspace.root / each.folder).resolve() == path.resolve()]
        return (own[0] if own else None), path
    known = ", ".join(f"{each.id} ({each.name})" for each in runs[:12]) or "none yet"
    raise DataError(f"There is no run {wanted[:80]!r} in this workspace; there are {known}.")


def _facts(workspace: "Workspace", run: "Run | None", report: Report) -> None:
    facts = report.facts
    if run is None:
        return
    facts["Run"] = str(run.id)
    facts["Begun"] = _moment(run.created)
    facts["Ended"] = _moment(run.finished) if run.finished else "not ended well yet"
    if run.job_id is None:
        return
    job = workspace.store.jobs.get(run.job_id)
    facts["Job"] = f"{job.id}, {job.state}"
    facts["Started by"] = job.submitted_by
    if job.started_at and job.finished_at:
        facts["Time"] = _duration(job.finished_at - job.started_at)
    if job.snapshot:
        frozen = workspace.store.snapshots.get(job.snapshot)
        facts["Snapshot"] = f"{frozen.name}, {frozen.count:,} images, {frozen.digest[:16]}"


def _masks(workspace: "Workspace", run: "Run | None", folder: Path, report: Report) -> None:
    """Scores, verdicts and examples of the run's masks: those it offered, else its files."""
    store = workspace.store
    offered = masks_of(store, f"run:{run.id}") if run else {}
    images = {each.id: each for each in _all_images(workspace)}
    files: dict[int, Path] = {}
    if not offered:
        kept = next((folder / name for name in MASKS if (folder / name).is_dir()), None)
        if kept is not None:
            there = {path.stem: path for path in kept.glob("*.png")}
            files = {id: there[each.name] for id, each in images.items() if each.name in there}
    report.masks = len(offered or files)
    for mask in offered.values():
        report.verdicts[mask.verdict] = report.verdicts.get(mask.verdict, 0) + 1
        for name, value in mask.scores.items():
            if 0 <= value <= 1:
                report.scores.setdefault(name, []).append(value)

    def labels(id: int) -> np.ndarray:
        try:
            data = store.files.read(offered[id].digest) if id in offered else files[id].read_bytes()
        except OSError as error:
            raise DataError(f"Its mask could not be read: {error.strerror}.") from error
        return decode_labels(data, f"The mask of {images[id].name}")

    values = _measured(workspace, images, list(offered or files), labels, report.notes)
    if values:
        report.ranked_by = "IoU"
        report.scores["IoU"] = list(values.values())
    else:
        report.ranked_by = next((each for each in RANKED_BY if each in report.scores), "")
        ranked = {id: mask.scores.get(report.ranked_by) for id, mask in offered.items()}
        values = {id: value for id, value in ranked.items() if value is not None}
    order = sorted(values, key=lambda id: (-values[id], images[id].name))
    some = min(EXAMPLES, (len(order) + 1) // 2)

    def examples(ids: list[int]) -> list[Example]:
        made = []
        for id in ids:
            try:
                made.append(_example(workspace, images[id], values[id], labels(id)))
            except TagmaskError as error:
                report.notes.append(f"{images[id].name} is not shown: {error}")
        return made

    report.best = examples(order[:some])
    report.worst = examples(order[::-1][: min(some, len(order) - some)])


def _measured(
    workspace: "Workspace",
    images: Mapping[int, "Image"],
    ids: Iterable[int],
    labels: Callable[[int], np.ndarray],
    notes: list[str],
) -> dict[int, float]:
    """The mean IoU of each mask whose truth is known; of one that cannot be read the reason goes to
    `notes`."""
    found = {}
    for id in ids:
        truth = images[id].truth_digest
        if truth is None:
            continue
        try:
            told = count(labels(id), decode_labels(workspace.store.files.read(truth))).mean_iou()
        except (TagmaskError, ValueError) as error:
            notes.append(f"{images[id].name} is not measured: {error}")
            continue
        if told is not None:
            found[id] = told
    return found


def _example(workspace: "Workspace", image: "Image", value: float, labels: np.ndarray) -> Example:
    store = workspace.store
    classes = {each.id: each for each in store.classes.all()}
    photo = read_image(store.files.path(image.digest), name=image.name)
    scale = min(SIDE / max(photo.shape[:2]), 1)
    size = (max(round(photo.shape[0] * scale), 1), max(round(photo.shape[1] * scale), 1))
    colours = {id: each.colour for id, each in classes.items()}

    def painted(values: np.ndarray) -> bytes:
        pixels = paint(Picture(photo, "labels", values, colours), size, Look(opacity=0.55))
        return encode_jpeg(pixels, 85)

    truth = None
    seen = set(np.unique(labels).tolist())
    if image.truth_digest:
        true = decode_labels(store.files.read(image.truth_digest))
        truth = painted(true)
        seen |= set(np.unique(true).tolist())
    named = {classes[id].name: classes[id].colour for id in sorted(seen) if id in classes}
    return Example(image.name, value, painted(labels), truth, named)


def _all_images(workspace: "Workspace") -> list["Image"]:
    return workspace.store.images.page(0, 10_000_000).rows


def _last_metrics(folder: Path) -> Mapping[str, Any]:
    told: Mapping[str, Any] = {}
    for event in events_in(folder):
        if event.get("kind") == "finished" and isinstance(event.get("metrics"), dict):
            told = event["metrics"]
    return told


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _object(path: Path) -> dict[str, Any]:
    """A JSON object of the run's folder; {} where it is not there or not whole."""
    try:
        if path.stat().st_size > LARGEST:
            return {}
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _without_paths(report: Report, workspace: "Workspace") -> Report:
    """Folders of this machine become words: a report is for others, whom they say nothing and whom
    they need not concern. Of a path elsewhere its last part stays."""
    roots = {str(workspace.root), str(workspace.root.resolve())}

    def plain(value: Any) -> Any:
        if isinstance(value, str):
            for root in roots:
                value = value.replace(root, "WORKSPACE") if len(root) > 1 else value
            return _PATH.sub(r"…/\1", value)
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list) else value

    report.title, report.facts = plain(report.title), plain(report.facts)
    report.settings, report.provenance = plain(report.settings), plain(report.provenance)
    report.notes = plain(report.notes)
    return report


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"
