"""Proxy labels of a run's own maps: attention and saliency by the rule of one paper, then a CRF.

SeeNet, Algorithm 1; DCSP, Algorithm 1; OAA, section 4. `labels` looks at images again with a
network, as the Inspect tab does; this takes the maps that an attention run wrote, with all their
scales, and streams.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError
from training.options import option
from training.recipes import Recipe
from training.scores import SCORES, already_done, tell_missing

if TYPE_CHECKING:
    from training.run import Run

FUSIONS = ("seenet", "dcsp", "oaa")
CRF_PRESETS = ("dcsp", "deeplab", "psa", "irn", "oaa", "seam", "dsrg", "sal", "none")


@dataclass(frozen=True)
class Fuse:
    """The numbers of the three papers' rules; those of another rule than --fusion are not used."""

    from_: str = option("", "the folder of the run whose maps become labels")
    saliency: str = option(
        "classical",
        "classical; network:NAME of shipped weights, of a file or a run of the recipe saliency; or "
        "folder:DIR of grey maps named as the images",
    )
    fusion: str = option(
        "seenet",
        "the rule that makes labels of attention and saliency",
        section="SeeNet Alg. 1; DCSP Alg. 1; OAA 4",
        choices=FUSIONS,
    )
    weight: float = option(
        1.0,
        "of attention in SeeNet's harmonic mean",
        section="SeeNet Alg. 1",
        minimum=0,
        maximum=100,
    )
    saliency_threshold: float = option(
        0.0,
        "SeeNet: what is less salient is background whatever the attention; 0: no such threshold",
        section="SeeNet 4",
        minimum=0,
        maximum=1,
    )
    gamma: float = option(
        0.4, "what DCSP asks of a foreground pixel", section="DCSP 3.3", minimum=0, maximum=1
    )
    mean: str = option(
        "harmonic",
        "DCSP's mean of attention and saliency",
        section="DCSP Alg. 1",
        choices=("harmonic", "arithmetic", "geometric"),
    )
    keep_above: float = option(
        0.3, "OAA: attention and background under it count 0 (C)", minimum=0, maximum=1
    )
    conflict_above: float = option(
        0.9, "OAA: a pixel that two claim so strongly is ignored (C)", minimum=0, maximum=1
    )
    salient_from: float = option(
        32 / 255, "OAA: background so salient is ignored (C)", minimum=0, maximum=1
    )
    strong_above: float = option(
        0.8, "OAA: background of so much attention is ignored (C)", minimum=0, maximum=1
    )
    smallest_share: float = option(
        0.01, "OAA: an image with less foreground is ignored (C)", minimum=0, maximum=1
    )
    crf: str = option("none", "whose dense CRF refines the labels", choices=CRF_PRESETS)
    confidence: float = option(
        0.9, "how far the CRF trusts the labels that it starts from", minimum=0.5, maximum=1
    )
    keep_ignored: bool = option(True, "what the rule leaves undecided stays so behind the CRF")
    threads: int = option(2, "images worked on at a time", minimum=1, maximum=64)
    device: str = option(
        "auto", "of a saliency network: auto takes the GPU", choices=("auto", "cpu", "cuda")
    )


def run(settings: Fuse, run: "Run") -> dict[str, Any]:
    """Writes labels/IMAGE.png and a line of scores.jsonl for each image, and provenance.json."""
    from backend.exchange.names import some
    from backend.labels import write_labels
    from backend.maps import crf
    from backend.refinement import FOLDER_TIMEOUT, CrfPool
    from backend.saliency import saliency_source
    from training.earlier_run import (
        maps_digest,
        require_ended,
        require_no_labels,
        require_unchanged,
    )
    from training.fusing import Fuser
    from training.label_quality import measure_labels
    from training.run import write_provenance
    from training.run_maps import RunMaps
    from training.sources import described, open_tagged
    from training.streaming import stream

    if not settings.from_:
        raise TrainingError("--from is missing: name the folder of a run of an attention method.")
    require_no_labels(run)
    source, class_ids = open_tagged(run)
    maps = RunMaps(settings.from_, source, class_ids)
    require_ended(maps.folder, maps.origin["recipe"])
    maps.tell_missing(run, source)
    saliency = saliency_source(settings.saliency, device(settings.device))
    told = {"name": saliency.name, "origin": saliency.origin, "digest": saliency.digest}
    attention = {**maps.origin, "digest": maps_digest(maps.folder)}
    made_of = {"attention": attention, "saliency": told, "data": described(source)}
    require_unchanged(run.folder, made_of, {"attention": "--from", "saliency": "--saliency"})
    write_provenance(run.folder, made_of)
    done = already_done(run.folder)
    todo = [item for item in source.items if item.name not in done]
    if done:
        run.message(f"{len(done)} images were done before; {len(todo)} remain.")
    tell_missing(run, saliency, todo)
    refinement = None if settings.crf == "none" else crf.PRESETS[settings.crf]
    with CrfPool(settings.threads, FOLDER_TIMEOUT, retries=1) as pool:
        if refinement and not pool.available:
            raise TrainingError(f"--crf is {settings.crf}. {pool.reason} Or take --crf none.")
        fuser = Fuser(
            maps, saliency, settings, pool, refinement, settings.confidence, settings.keep_ignored
        )
        made_with = f"{maps.folder.name} · {saliency.short_name}"
        method = f"{maps.origin['recipe']}.{settings.fusion}{'.crf' if refinement else ''}"
        run.begun = True
        with (run.folder / SCORES).open("a", encoding="utf-8") as scores:
            total = len(source.items)
            work = stream(
                run, todo, fuser, settings.threads, total=total, done=len(done), stage="fusing"
            )
            flat: list[str] = []
            useful = bool(done)
            for each in work:
                if each.flat:
                    flat.append(each.name)
                if each.labels is None:
                    run.message(each.why_not)
                    continue
                useful |= each.holds_a_class
                if not each.holds_a_class:
                    run.message(f"{each.name} has no pixel of any tag, and teaches nothing.")
                write_labels(run.folder / "labels" / f"{each.name}.png", each.labels)
                line = {
                    "image": each.name, "method": f"{method} · {made_with}", **each.scores
                }  # fmt: skip
                scores.write(json.dumps(line, ensure_ascii=False) + "\n")
                scores.flush()
                done[each.name] = line
        if flat:
            run.message(f"{len(flat)} saliency maps are zero everywhere: {some(flat)}.")
    if done and not useful:
        raise TrainingError(
            "No image has a pixel of any tag, so there is nothing to learn from"
            + (f": {len(flat)} saliency maps are zero everywhere. " if flat else ". ")
            + "Give other maps with --saliency, or other thresholds."
        )
    if not done:
        raise TrainingError(
            f"None of the {len(source.items)} images could be labelled; the messages say why."
        )
    return outcome(run, done, measure_labels(source, run.folder / "labels"))


def device(asked: str) -> str:
    """Where a saliency network is to run; torch is asked only where one may."""
    if asked == "cpu":
        return "cpu"
    import torch

    from training.machine import require_cuda

    if asked == "cuda":
        require_cuda()
    return "cuda" if torch.cuda.is_available() else "cpu"


def outcome(
    run: "Run", done: dict[str, dict[str, Any]], measured: dict[str, float]
) -> dict[str, Any]:
    """What the event `finished` says: the mean of each score, and mIoU where truth is known."""
    scored = [line for line in done.values() if "SC" in line]
    means = {name: sum(line[name] for line in scored) / len(scored) for name in ("AC", "CD", "SC")
             if scored}  # fmt: skip
    metrics = {**means, **measured, "images": len(done)}
    return {"metrics": metrics, "weights": None, "maps": 0, "labels": len(done)}


RECIPE = Recipe(
    name="fuse",
    title="Proxy labels of a run's maps",
    summary="Makes labels of the maps that an attention run wrote: saliency, fusion, CRF.",
    settings=Fuse,
    run=run,
    takes=("tags", "runs"),
    makes=("labels",),
)
