"""What a trained classifier would tag in every image: to find missing tags and wrong ones.

Nothing is tagged: suggestions.jsonl says how sure the network is of each class it knows, and a
person decides in the Tags tab.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError
from training.machine import Machine
from training.options import option, restated
from training.recipes import Recipe

if TYPE_CHECKING:
    from backend.exchange.sources import Source
    from backend.weights import WeightsCard
    from training.run import Run

SUGGESTIONS = "suggestions.jsonl"
EVERY_IMAGE = "all"
DIGITS = 4
# As the Tags tab asks at first (backend.store.tag_views); there a person moves them.
LEAST, MOST = 0.5, 0.2


@dataclass(frozen=True)
class Suggest:
    """Whose eyes, and how they look."""

    weights: str = option(
        "", "the trained classifier: a run's folder, a weights file or a shipped name"
    )
    size: int = option(
        0, "shorter side at scale 1; 0: that of the weights", minimum=0, maximum=4096
    )
    scales: tuple[float, ...] = option(
        (1.0,), "sizes as parts of it; their probabilities are averaged", minimum=0.1, maximum=4
    )
    flip: bool = option(True, "look at the mirrored image too")
    batch: int = option(16, "images of one shape looked at together", minimum=1, maximum=4096)
    threads: int = option(2, "images read at a time", minimum=1, maximum=64)
    device: str = restated(Machine, "device", "auto")
    precision: str = restated(Machine, "precision", "auto")


def run(settings: Suggest, run: "Run") -> dict[str, Any]:
    """Writes a line of suggestions.jsonl for every image of --data, with or without tags: {"image",
    "scores": {class name: probability 0..1}}.
    """
    from backend.exchange.sources import open_source
    from backend.weights import load
    from training.earlier_run import require_unchanged
    from training.image_lines import ImageLines
    from training.machine import open_fabric
    from training.run import write_provenance
    from training.sources import described
    from training.suggesting import Classifier, look_at

    if run.data is None:
        raise TrainingError("--data is missing.")
    fabric = open_fabric(Machine(device=settings.device, precision=settings.precision))
    network, card = load(_named(settings), str(fabric.device))
    if not hasattr(network, "attend"):
        raise TrainingError(
            f"{card.name} is of the kind '{card.kind}', which says nothing of an image's tags. "
            "Name a run of classify, or of another recipe that learns from tags."
        )
    source = open_source(run.data, run.split or EVERY_IMAGE)
    for note in source.notes:
        run.message(note)
    made_of = {
        "weights": {"name": card.name, "digest": card.digest},
        "data": described(source),
    }
    require_unchanged(run.folder, made_of, {"weights": "--weights", "data": "--data"})
    write_provenance(run.folder, made_of)
    _tell_unknown(run, source, card)
    lines = ImageLines(run, SUGGESTIONS)
    todo = [item for item in source.items if item.name not in lines.kept]
    if lines.kept:
        run.message(f"{len(source.items) - len(todo)} images were done; {len(todo)} remain.")
    size = settings.size or card.input_size
    if not size:
        raise TrainingError(f"{card.name} does not say at which size it looks: give --size.")
    classifier = Classifier(
        fabric,
        network,
        card.normalisation,
        tuple(size * scale for scale in settings.scales),
        settings.flip,
    )
    tally = Tally(source, card)
    for told in lines.kept.values():
        tally.add(told)
    looked = look_at(
        run,
        todo,
        classifier,
        batch=settings.batch,
        threads=settings.threads,
        total=len(source.items),
    )
    for some_seen in looked:
        new = []
        for seen in some_seen:
            if seen.trouble is not None:
                run.message(seen.trouble)
                continue
            rounded = (round(p, DIGITS) for p in seen.probabilities)
            scores = dict(zip(card.classes, rounded, strict=True))
            new.append({"image": seen.item.name, "scores": scores})
            tally.add(new[-1])
        lines.add(new)
    if not tally.images:
        raise TrainingError("No image could be looked at; the messages say why.")
    return {"metrics": tally.metrics(), "weights": None, "maps": 0, "labels": 0}


class Tally:
    """How the scores stand to the tags there are; classes agree by their names."""

    def __init__(self, source: "Source", card: "WeightsCard") -> None:
        self.known = {name.casefold() for name in card.classes}
        self.tags = {
            item.name: {source.classes[tag].casefold() for tag in item.tags}
            for item in source.items
        }
        self.images = self.right = self.decided = self.suggested = self.doubted = 0

    def add(self, told: dict[str, Any]) -> None:
        """Counts an image's line."""
        tags = self.tags.get(told["image"])
        if tags is None:
            return
        self.images += 1
        for name, score in told["scores"].items():
            has = name.casefold() in tags
            self.suggested += not has and score >= LEAST
            self.doubted += has and score <= MOST
            # An image that nobody has tagged yet says nothing of the network.
            if tags:
                self.decided += 1
                self.right += (score > 0.5) == has

    def metrics(self) -> dict[str, float]:
        """What the event `finished` carries."""
        found: dict[str, float] = {
            "images": self.images,
            "suggested_tags": self.suggested,
            "doubted_tags": self.doubted,
        }
        if self.decided:
            found["tag_accuracy"] = self.right / self.decided
        return found


def _tell_unknown(run: "Run", source: "Source", card: "WeightsCard") -> None:
    from backend.exchange.names import some

    known = {name.casefold() for name in card.classes}
    used = {tag for item in source.items for tag in item.tags}
    strange = sorted(
        source.classes[id] for id in used if source.classes[id].casefold() not in known
    )
    if strange:
        run.message(f"The classifier does not know {some(strange)}: it says nothing of these tags.")


def _named(settings: Suggest) -> str:
    if settings.weights:
        return settings.weights
    from backend.weights import shipped

    names = ", ".join(card.name for card in shipped() if card.classes) or "none"
    raise TrainingError(
        "--weights is missing: give a run's folder, a weights file, or the name of shipped weights "
        f"({names})."
    )


RECIPE = Recipe(
    name="suggest",
    title="Tag suggestions",
    summary="Says how sure a trained classifier is of every tag of every image; changes none.",
    settings=Suggest,
    run=run,
    takes=("images",),
    makes=("suggestions",),
)
