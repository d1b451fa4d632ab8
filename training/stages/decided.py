"""Whether people have decided what a pipeline's segmenter is to learn from."""

from collections.abc import Iterable
from pathlib import Path

from backend.exchange.snapshot import EVERYTHING, VERDICTS, is_manifest, open_snapshot
from backend.policies import ACCEPTED_ONLY
from training.errors import TrainingError
from training.stages.stage import Stage


def require_decided(stages: Iterable[Stage], preset: str, data: Path) -> None:
    """Raises TrainingError where a stage learns accepted masks alone and nobody accepted any: it
    would be refused at its turn, behind hours of training.
    """
    for stage in stages:
        settings = stage.settled(preset)
        if getattr(settings, "policy", None) != ACCEPTED_ONLY or settings.strong:
            continue
        if not _has_decisions(data):
            raise TrainingError(
                f"{stage.name}.policy is {ACCEPTED_ONLY}, but nobody has accepted or fixed a mask "
                f"in {data}, so nothing would teach this stage. Leave it out, or give --data a "
                "snapshot with accepted masks."
            )


def _has_decisions(data: Path) -> bool:
    """Only a snapshot has any; its files are not read."""
    for path in (data, data / "manifest.json"):
        if is_manifest(path):
            items = open_snapshot(path, EVERYTHING, verify=False).items
            return any(item.verdict in VERDICTS for item in items)
    return False
