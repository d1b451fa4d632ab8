"""Proxy labels for every tagged image of a data set: attention, saliency, fusion, CRF, mask scores.

What the page shows for one image (`backend.inspection`), for a folder. Nothing is trained.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.earlier_run import require_unchanged
from training.errors import TrainingError
from training.options import option
from training.recipes import Recipe
from training.run import CONFIG, write_provenance
from training.scores import SCORES, already_done, tell_missing

if TYPE_CHECKING:
    from backend.exchange.sources import Source
    from backend.random_walk import RandomWalk
    from backend.saliency import SaliencySource
    from backend.weights import WeightsCard
    from training.run import Run

FUSIONS = ("seenet", "dcsp", "oaa")
OWN = "own"
METHODS = (
    OWN, "cam", "seenet", "oaa", "oaaplus", "ecsnet", "dcsp", "gradcam", "gradcampp", "layercam"
)  # fmt: skip
CRF_PRESETS = ("dcsp", "deeplab", "psa", "irn", "oaa", "seam", "dsrg", "sal", "none")
REFINEMENTS = ("crf", "walk", "grabcut", "none")


# Settings of the stages that an option has the name and the values of.
AS_THEY_ARE = (
    "erasing_steps", "erase_above", "refine", "confidence", "walk_alpha", "walk_beta", "walk_steps"
)  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """Whose maps become labels, and how."""

    weights: str = option(
        "", "the trained network: a run's folder, a weights file or a shipped name"
    )
    method: str = option(
        OWN,
        "whose attention: own: the method that the weights were trained for, with the numbers that "
        "they were trained with; oaa wants the run's folder as --weights",
        choices=METHODS,
    )
    fusion: str = option(
        "dcsp",
        "the rule that makes labels of attention and saliency",
        section="SeeNet Alg. 1; DCSP Alg. 1; OAA 4",
        choices=FUSIONS,
    )
    saliency: str = option(
        "classical",
        "classical; network:NAME of shipped weights, of a file or a run of the recipe saliency; or "
        "folder:DIR of grey maps named as the images",
    )
    weight: float = option(
        1.0,
        "of attention in SeeNet's harmonic mean",
        section="SeeNet Alg. 1",
        minimum=0,
        maximum=100,
    )
    gamma: float = option(
        0.4, "what DCSP asks of a foreground pixel", section="DCSP 3.3", minimum=0, maximum=1
    )
    erasing_steps: int = option(
        1,
        "looks at an image for saliency, each after what was found was erased",
        section="DCSP 4.2",
        minimum=1,
        maximum=5,
    )
    erase_above: tuple[float, ...] = option(
        (0.7, 0.8),
        "the saliency that is erased before the second and each further look",
        section="DCSP 5.1",
        minimum=0,
        maximum=1,
    )
    keep_looks: bool = option(
        False,
        "keep every look: looks/IMAGE/step2.erased.png (the image with what was found erased), "
        "step2.raw.png (what was seen in it), step2.png (all that was seen so far), ...",
    )
    missing_saliency: str = option(
        "leave-out",
        "what becomes of images without a map in the folder of --saliency: leave-out: they are "
        "named and get no labels; refuse: nothing is begun",
        choices=("leave-out", "refuse"),
    )
    refine: str = option(
        "crf",
        "what refines the masks: crf: the fusion's labels by a dense CRF; walk: the attention by "
        "the random walk of --affinity; grabcut: the fusion's labels by their colours; none",
        choices=REFINEMENTS,
    )
    crf: str = option(
        "dcsp", "whose dense CRF refines labels and the masks to score by", choices=CRF_PRESETS
    )
    confidence: float = option(
        0.9, "how far the CRF trusts the labels that it starts from", minimum=0.5, maximum=1
    )
    affinity: str = option(
        "", "the affinity weights of --refine walk: a run of the recipe affinity, or a file"
    )
    walk_alpha: float = option(
        16.0, "of the background that walks along", section="AffinityNet (C)", minimum=0,
        maximum=1000,
    )  # fmt: skip
    walk_beta: float = option(
        8.0, "power of the affinities", section="AffinityNet (C)", minimum=0, maximum=1000
    )
    walk_steps: int = option(
        256, "steps of the walk", section="AffinityNet (C)", minimum=0, maximum=4096
    )
    threads: int = option(2, "images worked on at a time", minimum=1, maximum=64)
    device: str = option(
        "auto", "auto takes the GPU where there is one", choices=("auto", "cpu", "cuda")
    )


def run(settings: Labels, run: "Run") -> dict[str, Any]:
    """Writes labels/IMAGE.png, maps/IMAGE/CLASS.png and a line of scores.jsonl for each image, and
    provenance.json, which says what made them."""
    import torch

    from backend.exchange.names import some
    from backend.exchange.sources import open_source
    from backend.inspection import Inspector, trained_with
    from backend.inspection import Settings as Stages
    from backend.refinement import FOLDER_TIMEOUT, CrfPool
    from backend.saliency import saliency_source
    from backend.weights import load, shipped
    from training.labelling import label
    from training.machine import require_cuda
    from training.streaming import stream

    if not settings.weights:
        names = ", ".join(card.name for card in shipped() if card.classes) or "none"
        raise TrainingError(
            "--weights is missing: give a run's folder, a weights file, or the name of shipped "
            f"weights ({names})."
        )
    if settings.device == "cuda":
        require_cuda()
    gpu = settings.device != "cpu" and torch.cuda.is_available()
    network, card = load(settings.weights, "cuda" if gpu else "cpu")
    source = open_source(run.data, run.split).tagged() if run.data else None
    if source is None:
        raise TrainingError("--data is missing.")
    crf = None if settings.crf == "none" else settings.crf
    stages = Stages.from_json(
        {
            **trained_with(card),
            "method": "" if settings.method == OWN else settings.method,
            "fusion": settings.fusion,
            "saliency": settings.saliency,
            "weight": settings.weight,
            "gamma": settings.gamma,
            "crf": crf,
            **{name: getattr(settings, name) for name in AS_THEY_ARE},
        }
    )
    walk = random_walk(settings, "cuda" if gpu else "cpu")
    saliency = saliency_source(settings.saliency, "cuda" if gpu else "cpu")
    if stages.thresholds and saliency.detector is None:
        raise TrainingError(
            f"--erasing-steps is {settings.erasing_steps}, but the maps of {saliency.short_name} "
            "were made elsewhere: what is erased from an image cannot be looked at again. Take "
            "--erasing-steps 1, or another --saliency."
        )
    if settings.keep_looks and not stages.thresholds:
        raise TrainingError(
            "--keep-looks keeps the steps of hierarchical erasing, but --erasing-steps is 1. Ask "
            "for more looks, or leave --keep-looks out."
        )
    record_provenance(run.folder, card, saliency, walk)
    made_with = made_by(card, saliency, stages.erasing_steps, walk)
    done = already_done(run.folder)
    todo = [item for item in source.items if item.name not in done]
    if done:
        run.message(f"{len(source.items) - len(todo)} images were done before; {len(todo)} remain.")
    tell_missing(run, saliency, todo, refuse=settings.missing_saliency == "refuse")
    with CrfPool(settings.threads, FOLDER_TIMEOUT, retries=1) as pool:
        available = pool.available
        if crf and not available:
            run.message(without_crf(settings, pool.reason))
        inspector = Inspector(
            network, card, saliency, pool, folder=run_folder(card), working_side=None,
            walks=None if walk is None else {"": walk}.__getitem__,
        )  # fmt: skip
        run.message(f"The attention is that of {inspector.method(stages).title}.")
        run.begun = True
        with (run.folder / SCORES).open("a", encoding="utf-8") as scores:
            work = stream(
                run,
                todo,
                lambda item: label(
                    inspector, source, item, stages, run.folder, keep_looks=settings.keep_looks
                ),
                settings.threads,
                total=len(source.items),
                done=len(source.items) - len(todo),
                stage="labels",
            )
            left_out = 0
            flat: list[str] = []
            for each in work:
                if each.flat:
                    flat.append(each.name)
                if each.scores is None:
                    run.message(each.why_not)
                    left_out += 1
                    continue
                line = {
                    "image": each.name,
                    # The candidate keeps the method alone, so it names what else made the mask.
                    "method": f"{each.method} · {made_with}",
                    "weights_digest": card.digest,
                    "saliency": saliency.name,
                    **({"saliency_digest": saliency.digest} if saliency.digest else {}),
                    **each.scores,
                }
                scores.write(json.dumps(line, ensure_ascii=False) + "\n")
                scores.flush()
                done[each.name] = line
        if flat:
            run.message(f"{len(flat)} saliency maps are the same everywhere: {some(flat)}.")
        if left_out:
            run.message(f"{left_out} of {len(source.items)} images have no labels.")
        if crf and available and not pool.available:
            run.message(without_crf(settings, pool.reason))
        return outcome(run.folder, source, done)


def run_folder(card: "WeightsCard") -> Path | None:
    """The folder of the run that a weights file lies in, None for a file by itself."""
    folder = None if card.path is None else card.path.parent
    return folder if folder and (folder / CONFIG).is_file() else None


def random_walk(settings: Labels, device: str) -> "RandomWalk | None":
    """The walk of --affinity where masks are refined by it; TrainingError where it is not named."""
    if settings.refine != "walk":
        return None
    from backend.random_walk import RandomWalk

    if not settings.affinity:
        raise TrainingError(
            "--refine is walk, but --affinity is missing: name a run of the recipe affinity."
        )
    return RandomWalk.load(settings.affinity, device)


def made_by(
    card: "WeightsCard", saliency: "SaliencySource", looks: int, walk: "RandomWalk | None"
) -> str:
    """What stands beside a mask's method, for those who review it."""
    looked = saliency.short_name + (f", {looks} looks" if looks > 1 else "")
    walked = f" · {walk.card.name} ({walk.card.digest[:8]})" if walk else ""
    return f"{card.name} ({card.digest[:8]}) · {looked}{walked}"


def without_crf(settings: Labels, reason: str) -> str:
    """What becomes of masks where there is no CRF, and why there is none."""
    if settings.refine == "crf":
        return f"The labels stay as the fusion made them. {reason}"
    return f"Masks are scored by saliency as it is. {reason}"


def record_provenance(
    folder: Path, card: "WeightsCard", saliency: "SaliencySource", walk: "RandomWalk | None"
) -> None:
    """Writes which weights and which saliency make the labels of this run to provenance.json.

    Raises TrainingError where a run goes on with other weights than it began with: half its
    labels would be another network's.
    """
    told: dict[str, dict[str, Any]] = {
        "weights": {"name": card.name, "digest": card.digest, "origin": card.origin},
        "saliency": {"name": saliency.name, "origin": saliency.origin},
    }
    if saliency.digest:
        told["saliency"]["digest"] = saliency.digest
    if walk is not None:
        name, digest = walk.card.name, walk.card.digest
        told["affinity"] = {"name": name, "digest": digest, "origin": walk.card.origin}
    require_unchanged(
        folder,
        told,
        {"weights": "--weights", "saliency": "--saliency", "affinity": "--affinity"},
    )
    write_provenance(folder, told)


def outcome(folder: Path, source: "Source", done: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the event `finished` says: counts, and the mean of each score."""
    names = sorted(
        {
            name
            for told in done.values()
            for name, value in told.items()
            if isinstance(value, int | float)
        }
    )
    metrics = {
        name: sum(told.get(name, 0.0) for told in done.values()) / max(1, len(done))
        for name in names
    }
    maps = sum(1 for name in done for _ in (folder / "maps" / name).glob("*.png"))
    metrics["images"] = len(source.items)
    return {"metrics": metrics, "weights": None, "maps": maps, "labels": len(done)}


RECIPE = Recipe(
    name="labels",
    title="Proxy labels",
    summary="Makes masks for review from trained weights: attention, saliency, fusion, CRF.",
    settings=Labels,
    run=run,
    takes=("tags", "weights"),
    makes=("labels", "maps"),
)
