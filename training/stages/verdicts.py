"""Which stages have to be made, and why: new, changed in what, unfinished, damaged, or done."""

from dataclasses import dataclass
from pathlib import Path

from backend.exchange.names import some
from training.run import CONFIG
from training.stages.ingredients import Ingredients, Pantry, differences, digest_of, same_but_code
from training.stages.record import Record, damaged, read_record
from training.stages.stage import Stage

DONE, UNFINISHED, DAMAGED, CHANGED, NEW = "done", "unfinished", "damaged", "changed", "new"


@dataclass(frozen=True)
class Verdict:
    """A stage with all that goes into it, where it is made, and whether it has to be.

    state: done, unfinished, damaged, changed or new; why: a sentence; bad: its damaged files.
    """

    stage: Stage
    made_of: Ingredients
    digest: str
    folder: Path
    state: str
    why: str
    record: Record | None = None
    bad: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        return self.state == DONE


def verdicts(
    stages: list[Stage], pantry: Pantry, at: Path, earlier: dict[str, str], *, any_code: bool
) -> list[Verdict]:
    """The verdict on every stage of a pipeline, in order.

    at: the folder that holds stages; earlier: the digests that they had the last time, by name;
    any_code: a finished stage of another version of the code counts, too.
    """
    found: list[Verdict] = []
    digests: dict[str, str] = {}
    for stage in stages:
        made_of = pantry.of(stage, digests)
        verdict = verdict_on(stage, made_of, at, earlier.get(stage.name), any_code=any_code)
        digests[stage.name] = verdict.digest
        found.append(verdict)
    return found


def verdict_on(
    stage: Stage, made_of: Ingredients, at: Path, earlier: str | None, *, any_code: bool
) -> Verdict:
    """The verdict on one stage by what lies in its folder, or by what it was the last time."""
    digest = digest_of(made_of)
    folder = at / f"{stage.name}-{digest}"
    record = read_record(folder)
    if any_code and not (record and record.is_done):
        for other in records(at, stage.name):
            if other.is_done and same_but_code(other.made_of, made_of):
                kept = at / f"{stage.name}-{other.digest}"
                bad = damaged(kept, other, stage.gives)
                if not bad:
                    said = f"made {_ingredients(other, made_of)}; --any-code keeps it"
                    return Verdict(stage, made_of, other.digest, kept, DONE, said, other)
    if record is None:
        state, why = _never_made(stage, made_of, at, earlier)
        return Verdict(stage, made_of, digest, folder, state, why)
    if not record.is_done:
        begun = (folder / CONFIG).is_file() or any(folder.glob("*/*"))
        why = "was stopped on its way and goes on" if begun else "was about to begin"
        return Verdict(stage, made_of, digest, folder, UNFINISHED, why, record)
    bad = damaged(folder, record, stage.gives)
    if bad:
        why = f"{len(bad)} of its {len(record.outputs)} files are gone or damaged: {some(bad)}"
        return Verdict(stage, made_of, digest, folder, DAMAGED, why, record, tuple(bad))
    return Verdict(stage, made_of, digest, folder, DONE, "nothing changed", record)


def records(at: Path, name: str) -> list[Record]:
    """Every record of stages of a name, the newest first."""
    found = [read_record(folder) for folder in at.glob(f"{name}-*")]
    known = [each for each in found if each is not None and each.name == name]
    return sorted(known, key=lambda each: each.started or 0, reverse=True)


def _never_made(
    stage: Stage, made_of: Ingredients, at: Path, earlier: str | None
) -> tuple[str, str]:
    """What differs from the stage as it was the last time, else from the one of its name that is
    most like it, the newer one of two."""
    known = records(at, stage.name)
    last = next((each for each in known if each.digest == earlier), None)
    like = [each for each in known if each.made_of.get("command") == stage.command]
    changes = [differences(each.made_of, made_of) for each in ([last] if last in like else like)]
    if not changes:
        return NEW, "nothing like it was made yet"
    fewest = min(changes, key=lambda each: len(each))
    return CHANGED, "; ".join(fewest)


def _ingredients(record: Record, made_of: Ingredients) -> str:
    changed = differences(record.made_of, made_of)
    return f"with other {changed[0]}" if changed else "by the same code"
