"""What the recipe scorer works on: masks with their coarse scores, samples made of them, a network.

Images are held out whole: no sample that is measured on shares an image with one that is learnt.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn import functional

from backend.atomic import write_whole
from backend.mask_scorer import KIND
from backend.networks.gdn import GDN
from backend.networks.normalisation import TORCHVISION
from backend.networks.scorer import STRIDE, ScorerNetwork
from backend.weights import WeightsCard, save
from training.candidate_masks import Candidate, LabelledRuns, known, look_through
from training.correlation import BINS, correlations, spearman, write_calibration
from training.data import Batch, Batches, TaggedImages, collate
from training.errors import TrainingError
from training.loop import Plan, fit
from training.machine import open_fabric
from training.networks import WEIGHTS
from training.references import References
from training.run import Run, write_provenance
from training.saliency_data import held_out
from training.scorer_samples import Augmented, ScorerSamples, Views
from training.scorer_set import KINDS, Sample, samples_of
from training.scorer_watching import ScorerWatcher
from training.sources import described

if TYPE_CHECKING:
    from training.loop import Values
    from training.recipes.scorer import Scorer

SAMPLES = "samples.json"
HELD_OUT = "validation.txt"


class ScorerBench:
    """Asked in order: `learn`, `measure`, `finish`."""

    def __init__(
        self, settings: "Scorer", run: Run, labelled: LabelledRuns, references: References
    ) -> None:
        torch.manual_seed(run.seed)
        self.settings, self.run, self.labelled = settings, run, labelled
        self.fabric = open_fabric(settings)
        self.normalisation = TORCHVISION
        measure = settings.measure
        self.candidates = look_through(run, labelled, references, measure, settings.threads)
        if not self.candidates:
            raise TrainingError(
                f"None of the {len(labelled.labelled)} labelled images can be scored; the messages "
                "say why."
            )
        if not any(each.referenced for each in self.candidates):
            raise TrainingError(
                f"The references of all {len(self.candidates)} masks are empty, so that nothing "
                "says how good they are. Name other --saliency, or lower --reference-threshold."
            )
        names = {each.name for each in self.candidates}
        items = [item for item in labelled.source.items if item.name in names]
        self.apart = held_out(items, settings.held_out, run.seed)
        listed = "".join(f"{item.name}\n" for item in items if item.name in self.apart)
        write_whole(run.folder / HELD_OUT, listed.encode())
        self.views = Views(labelled, references, measure, settings.size, settings.cache_mb << 20)
        self.taught, self.tested = self._samples()
        self.origin = {
            "data": described(labelled.source),
            "labels": [Path(each).name for each in settings.from_],
            "reference": references.maker.told(),
            "masks": {"count": len(self.candidates), "digest": self.digest},
        }

    @property
    def digest(self) -> str:
        """Of all candidates and their scores: a run goes on with these or not at all."""
        told = "\n".join(f"{each}" for each in self.candidates)
        return hashlib.sha256(told.encode()).hexdigest()

    def learn(self) -> tuple[ScorerNetwork, dict[str, float]]:
        """Trains a network; it in evaluation mode, and the last epoch's means."""
        settings = self.settings
        network = ScorerNetwork(settings.channels, settings.width)
        write_provenance(self.run.folder, self.origin)
        batches = Batches(
            cast(TaggedImages, self.taught),
            settings.batch,
            self.run.seed,
            workers=settings.workers,
            pin_memory=self.fabric.device.type == "cuda",
        )
        trained, means = fit(
            self.run,
            self.fabric,
            network,
            torch.optim.AdamW(parameter_groups(network, settings)),
            batches,
            self._step,
            Plan(
                epochs=settings.epochs,
                steps=settings.steps,
                schedule=settings.schedule,
                warmup=settings.warmup,
                clip=settings.clip,
            ),
            watch=self._watcher(),
            about={"recipe": self.run.recipe, "set of masks": self.digest[:12]},
            checkpoint_every=settings.checkpoint_every,
            lower=f"--batch (now {settings.batch}) or --size (now {settings.size})",
        )
        return cast(ScorerNetwork, cast(Any, trained).module), means

    def _step(self, network: nn.Module, batch: Batch) -> "tuple[Values, Values]":
        found, wanted = self._seen(network, batch)
        squared = functional.mse_loss(found, wanted)
        absolute = functional.l1_loss(found, wanted)
        loss = squared if self.settings.loss == "l2" else absolute
        return {"total": loss}, {"absolute_error": absolute.detach()}

    def _seen(self, network: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """P (N,) as it comes out, and the AC that it should be."""
        assert batch.masks is not None
        images = self.normalisation.batch(batch.images)
        inputs = torch.cat([images, batch.masks[:, None].to(images.dtype)], dim=1)
        with self.fabric.autocast():
            found = network(inputs.contiguous(memory_format=torch.channels_last))
        return found.float(), batch.tags[:, 0]

    @torch.no_grad()
    def predictions(
        self, network: nn.Module, batches: Iterator[Batch]
    ) -> tuple[list[float], list[float]]:
        """P, clamped to 0..1, of samples, and their AC."""
        found: list[float] = []
        wanted: list[float] = []
        for batch in batches:
            self.run.check()
            values, targets = self._seen(network, self.fabric.to_device(batch))
            found += values.clamp(0, 1).tolist()
            wanted += targets.tolist()
        return found, wanted

    def measure(self, network: ScorerNetwork) -> dict[str, float]:
        """Spearman's correlation on held-out samples; and, where true masks are known, of every
        score with the true AC, over all masks and over those of held-out images alone.

        Writes calibration.json there.
        """
        found, wanted = self.predictions(network, batches_of(self.tested, self.settings.batch))
        metrics: dict[str, float] = {}
        said = spearman(found, wanted) if found else None
        if said is not None:
            metrics["held_out_spearman"] = said
        true = known(self.candidates)
        if not true:
            return metrics
        predicted, _ = self.predictions(network, self._as_they_are(true))
        scores = {
            "AC": [each.ac for each in true],
            "SC": [each.ac * each.cd for each in true],
            "P": predicted,
            "SF": [p * each.cd for p, each in zip(predicted, true, strict=True)],
        }
        truth = [cast(float, each.true) for each in true]
        write_calibration(self.run.folder, {"SC": scores["SC"], "SF": scores["SF"]}, truth)
        metrics |= correlations(scores, truth)
        apart = [number for number, each in enumerate(true) if each.name in self.apart]
        chosen = {name: [values[number] for number in apart] for name, values in scores.items()}
        of_apart = correlations(chosen, [truth[number] for number in apart])
        return metrics | {f"held_out_{name}": value for name, value in of_apart.items()}

    def finish(self, network: ScorerNetwork, metrics: Mapping[str, float]) -> dict[str, Any]:
        """Writes weights.safetensors; what the event `finished` carries."""
        card = WeightsCard(
            name=self.run.folder.name,
            kind=KIND,
            backbone="none",
            stride=STRIDE,
            classes=(),
            class_ids=(),
            normalisation=self.normalisation,
            input_size=self.settings.size,
            origin={
                "text": f"trained by the recipe {self.run.recipe}, preset {self.run.preset}",
                "command": self.run.command,
                "seed": self.run.seed,
                **self.origin,
                "metrics": dict(metrics),
            },
            architecture=network.settings,
        )
        save(self.run.folder / WEIGHTS, network, card)
        return {"metrics": dict(metrics), "weights": WEIGHTS, "maps": 0, "labels": 0}

    def _samples(self) -> tuple[ScorerSamples, ScorerSamples | None]:
        """What is learnt, and what is held out; how many there are is said and kept."""
        settings, run = self.settings, self.run
        # Of a mask without anything to compare it with AC is 0, however good it is.
        sure = [each for each in self.candidates if each.referenced]
        kept = [each for each in sure if each.name not in self.apart]
        others = [each for each in sure if each.name in self.apart]
        how = Augmented(settings.redraw, settings.flip, settings.jitter)
        samples, lacking = samples_of(kept, settings, run.seed)
        for sentence in lacking:
            run.message(sentence)
        taught = self._set(kept, samples, how)
        counts: dict[str, list[int]] = {kind: [0] * BINS for kind in KINDS}
        for number, (kind, tenth) in enumerate(taught.counted(), start=1):
            run.check()
            counts[kind][tenth] += 1
            run.progress(number, len(samples), stage="samples")
        tested = None
        try:
            drawn, _ = samples_of(others, settings, run.seed, settings.held_out)
            tested = self._set(others, thinned(drawn, settings.watch_samples), Augmented())
        except TrainingError:
            run.message("No sample is held out, so that nothing is measured on the way.")
        told = {kind: sum(each) for kind, each in counts.items() if sum(each)}
        held = len(tested) if tested else 0
        run.message(
            f"{len(samples)} samples of {len({c.name for c in kept})} images are learnt from: "
            f"{', '.join(f'{count} {kind}' for kind, count in told.items())}; {held} of "
            f"{len({c.name for c in others})} other images are held out to measure on."
        )
        bins = [sum(each[tenth] for each in counts.values()) for tenth in range(BINS)]
        run.message(f"Samples by tenths of AC, from 0 to 1: {', '.join(map(str, bins))}.")
        record = {"kinds": told, "tenths": {k: counts[k] for k in told}, "held_out": held}
        write_whole(run.folder / SAMPLES, json.dumps(record, indent=1).encode())
        return taught, tested

    def _set(
        self, candidates: Sequence[Candidate], samples: Sequence[Sample], how: Augmented
    ) -> ScorerSamples:
        between = (self.settings.low_to, self.settings.high_from)
        return ScorerSamples(self.views, candidates, samples, self.run.seed, between, how)

    def _as_they_are(self, candidates: Sequence[Candidate]) -> Iterator[Batch]:
        samples = [Sample("high", place) for place in range(len(candidates))]
        return batches_of(self._set(candidates, samples, Augmented()), self.settings.batch)

    def _watcher(self) -> ScorerWatcher | None:
        if self.settings.watch_every < 0 or self.tested is None:
            return None
        return ScorerWatcher(self, self.settings.watch_every)


def batches_of(samples: ScorerSamples | None, batch: int) -> Iterator[Batch]:
    """Samples in their order, without any augmentation."""
    count = 0 if samples is None else len(samples)
    for first in range(0, count, batch):
        assert samples is not None
        keys = range(first, min(first + batch, count))
        yield collate([samples[index, (samples.seed, 0, index)] for index in keys])


def thinned(samples: list[Sample], most: int) -> list[Sample]:
    """At most so many samples, evenly from all."""
    if len(samples) <= most:
        return samples
    return [samples[round(place * (len(samples) - 1) / max(1, most - 1))] for place in range(most)]


def parameter_groups(network: nn.Module, settings: "Scorer") -> list[dict[str, Any]]:
    """The network's parameters for an optimiser: biases and what GDN divides by do not decay."""
    norms = {id(each) for m in network.modules() if isinstance(m, GDN) for each in m.parameters()}
    parameters = list(network.parameters())
    plain = [each for each in parameters if each.ndim > 1 and id(each) not in norms]
    rest = [each for each in parameters if each.ndim == 1 or id(each) in norms]
    return [
        {"params": plain, "lr": settings.learning_rate, "weight_decay": settings.weight_decay},
        {"params": rest, "lr": settings.learning_rate, "weight_decay": 0.0},
    ]
