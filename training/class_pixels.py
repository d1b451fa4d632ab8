"""DCSP's cues of a whole data set: attention maps, saliency, their mean, labels; all as files.

Each step writes a file an image and leaves alone what is there, so that a killed run goes on.
RUN/cues/0 holds Algorithm 1's labels, RUN/cues/1 those that the network gave after the first round.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from backend.atomic import write_whole
from backend.errors import ImageError, SaliencyError
from backend.exchange.names import some
from backend.exchange.sources import Item, Source
from backend.images import read_image, require_usable
from backend.labels import BACKGROUND, read_heat, read_labels, write_heat, write_labels
from backend.maps.attention import resize
from backend.maps.fusion import Mean, dcsp_labels
from backend.networks.fcan import Fcan
from backend.saliency import saliency_source
from training.data import tag_matrix
from training.errors import TrainingError
from training.evaluation import confusion, miou
from training.hierarchical import begin, make_saliency
from training.loop import Clock
from training.maps_export import measure_maps
from training.masks import LABELS, with_labels
from training.phased import PhasedBench
from training.predicting import inputs, see
from training.predictions import ahead, in_turn
from training.run import write_provenance
from training.streaming import stream

THREADS = 2


class AttentionAlone(nn.Module):
    """A network's attention volume where `see` asks for a segmentation."""

    def __init__(self, network: Fcan) -> None:
        super().__init__()
        self.network = network

    def segment(self, images: torch.Tensor) -> torch.Tensor:
        """The raw class maps (N,C,h,w) of normalised images."""
        seen: torch.Tensor = self.network(images).maps
        return seen


class CueMaker:
    """Makes the cues of a bench's images: `choose_saliency` before anything is trained, then
    `first_cues`, and after a round of training `adapted_cues`.

    gamma and mean are Algorithm 1's. labelled: the images with the newest cues as their masks.
    maps: how many attention maps there are.
    """

    def __init__(self, bench: PhasedBench, gamma: float, mean: Mean) -> None:
        self.bench = bench
        self.run = bench.run
        self.images = bench.whole
        self.gamma, self.mean = gamma, mean
        self.viewing = replace(bench.viewing, fusion="max")
        self.maps = 0
        self._newest = self.folder(0)

    def folder(self, number: int) -> Path:
        """Where the cues after so many adaptations are."""
        return self.run.folder / "cues" / str(number)

    @property
    def saliency(self) -> Path:
        return self.run.folder / "saliency"

    @property
    def labelled(self) -> Source:
        return with_labels(self.images, self._newest)

    def choose_saliency(self, spec: str, thresholds: Sequence[float], processes: int) -> None:
        """Says where saliency comes from and what is erased before the second and further looks.

        Raises SaliencyError where there is no such source or its first map cannot be used,
        TrainingError where a folder has no map of any image.
        """
        gpu = self.bench.fabric.device.type == "cuda"
        self._source = saliency_source(spec, "cuda" if gpu else "cpu")
        self._thresholds = thresholds
        # A GPU serves one process best, and this one has it already.
        self._processes = 1 if gpu and self._source.digest else processes
        names = [item.name for item in self.images.items]
        missing = self._source.missing(names)
        if len(missing) == len(names):
            raise TrainingError(
                f"None of the {len(names)} images has a saliency map in {spec.partition(':')[2]} "
                f"({names[0]}.png was looked for). Name with --saliency the folder of their maps, "
                "or another source."
            )
        if self._source.maps is not None:
            first = next(name for name in names if name not in set(missing))
            try:
                self._source.maps(first)
            except SaliencyError as problem:
                # One that is damaged is left out at its turn; one in colour tells of a folder of
                # something else, which is said now, not behind a training.
                if not isinstance(problem.__cause__, ImageError):
                    raise

    def first_cues(self, network: Fcan) -> dict[str, float]:
        """Writes the saliency, the attention maps and Algorithm 1's labels of every image; what
        they measure where truth is known.
        """
        source, ids, maps = self.images, self.bench.class_ids, self.run.folder / "maps"
        self._how = begin(self.run, self._source, self._thresholds, source.items)
        self.bench.origin["saliency"] = {**asdict(self._how), "origin": self._source.origin}
        write_provenance(self.run.folder, self.bench.origin)
        self._add_saliency(source)
        self.maps = self._write_attention(network, maps)
        self._newest = self.folder(0)
        self._write_labels(maps, self._newest / LABELS)
        of_maps = {f"attention_{k}": v for k, v in measure_maps(source, ids, maps).items()}
        return of_maps | measure_labels(source, self._newest / LABELS, "cues_miou")

    def adapted_cues(self, network: Fcan, number: int) -> dict[str, float]:
        """Writes the labels that the network gives, limited to background and each image's tags;
        what they measure.
        """
        self._newest = self.folder(number)
        folder = self._newest / LABELS
        self.bench.export_labels(network, folder=str(folder.relative_to(self.run.folder)))
        return measure_labels(self.images, folder, f"cues_{number}_miou")

    def publish(self) -> int:
        """Copies the newest cues to labels/IMAGE.png; how many there are."""
        count = 0
        for item in self.images.items:
            self.run.check()
            path = self._newest / LABELS / f"{item.name}.png"
            if path.is_file():
                write_whole(self.run.folder / LABELS / path.name, path.read_bytes())
                count += 1
        return count

    def label_without_joint(self, network: Fcan) -> dict[str, float]:
        """Writes predictions/IMAGE.png of the held-out images without any joint training; what they
        measure. This is Table 4's "not joint".

        Algorithm 1 on the attention maps of the tags that the network itself finds, whose scores
        at scale 1 are above 0, and on hierarchical saliency.
        """
        held, bench, run = self.bench.held_out, self.bench, self.run
        if held is None:
            return {}
        self._add_saliency(held)
        folder, ids = run.folder / "predictions", np.array(bench.class_ids)
        alone = AttentionAlone(network)
        once = replace(self.viewing, scales=(1.0,), flip=False)
        todo = [item for item in held.items if not (folder / f"{item.name}.png").is_file()]
        for number, (item, reading) in enumerate(ahead(_read, todo), start=1):
            run.check()
            image = reading.result()
            given = inputs(once.views(image), bench.normalisation, once)
            seen = see(bench.fabric, alone, given, once)
            found = torch.nonzero(network.pooled(seen[None])[0] > 0).flatten().tolist()
            labels = np.zeros(image.shape[:2], np.uint8)
            path = self.saliency / f"{item.name}.png"
            if found and path.is_file():
                views = self.viewing.views(image)
                given = inputs(views, bench.normalisation, self.viewing)
                seen = see(bench.fabric, alone, given, self.viewing)
                maps = network.stretched(seen[found]).cpu().numpy()
                labels = self._fused(maps, read_heat(path), ids[found].tolist())
            write_labels(folder / f"{item.name}.png", labels)
            run.progress(number, len(todo), always=number == len(todo), stage="predictions")
        return measure_labels(held, folder, "miou")

    def _add_saliency(self, source: Source) -> None:
        make_saliency(
            self.run,
            self._source,
            self._how,
            source.items,
            self.saliency,
            processes=self._processes,
        )

    def _write_attention(self, network: Fcan, folder: Path) -> int:
        """Writes folder/IMAGE/CLASS.png for each tag of each image; how many there are then.

        The raw maps of all scales are brought to the finest grid, their maximum is taken, and each
        is stretched to 0..1.
        """
        bench, run, ids = self.bench, self.run, self.bench.class_ids
        tags = tag_matrix(self.images.items, ids)
        own = {
            item.name: row.nonzero().flatten().tolist()
            for item, row in zip(self.images.items, tags, strict=True)
        }

        def paths(item: Item) -> list[Path]:
            names = [self.images.classes[ids[column]] for column in own[item.name]]
            return [folder / item.name / f"{name}.png" for name in names]

        def finish(item: Item, image: np.ndarray, values: torch.Tensor) -> None:
            maps = network.stretched(values[own[item.name]]).cpu().numpy()
            for path, heat in zip(paths(item), maps, strict=True):
                write_heat(path, heat)

        items = self.images.items
        todo = [item for item in items if not all(path.is_file() for path in paths(item))]
        alone, done, clock = AttentionAlone(network), len(items) - len(todo), Clock(0)
        work = in_turn(
            run, bench.fabric, alone, todo, bench.normalisation, self.viewing, finish, False
        )
        for number, (_, trouble, _) in enumerate(work, start=1):
            if trouble is not None:
                # The training has read every image: this one has gone or changed since.
                raise ImageError(trouble)
            clock.images += 1
            run.progress(
                done + number,
                len(items),
                always=number == len(todo),
                stage="maps",
                images_per_second=clock.images_per_second,
                seconds_left=clock.seconds_left(number, len(todo)),
            )
        return int(tags.sum())

    def _write_labels(self, maps: Path, folder: Path) -> None:
        """Writes folder/IMAGE.png where there is saliency; tells where no tag has a pixel."""
        ids = set(self.bench.class_ids)
        known = [
            item for item in self.images.items if (self.saliency / f"{item.name}.png").is_file()
        ]
        if not known:
            raise TrainingError(
                f"No image has a saliency map that can be used ({self._source.name}), so there are "
                "no cues to learn from. Begin again in another --out with another --saliency; "
                f"--from {self.run.folder} takes the attention network of this run."
            )

        def make(item: Item) -> str:
            path = folder / f"{item.name}.png"
            if not path.is_file():
                tags = [id for id in item.tags if id in ids]
                classes = [self.images.classes[id] for id in tags]
                heats = [read_heat(maps / item.name / f"{name}.png") for name in classes]
                salient = read_heat(self.saliency / f"{item.name}.png")
                write_labels(path, self._fused(np.stack(heats), salient, tags))
            return "" if (read_labels(path) != BACKGROUND).any() else item.name

        done = stream(self.run, known, make, THREADS, total=len(known), stage="cues")
        empty = [name for name in done if name]
        if empty:
            self.run.message(
                f"In the cues of {len(empty)} of {len(known)} images no pixel reaches gamma: "
                f"{some(empty)}. They teach background alone."
            )

    def _fused(self, maps: np.ndarray, salient: np.ndarray, ids: Sequence[int]) -> np.ndarray:
        height, width = salient.shape
        return dcsp_labels(resize(maps, (height, width)), salient, ids, self.gamma, self.mean)


def measure_labels(source: Source, folder: Path, name: str) -> dict[str, float]:
    """mIoU (0..100), by this name, of label maps over the images that have a true mask, an image
    without a label map counting as background; nothing where none has. Only ever a measure.
    """
    matrix = np.zeros((max(source.classes) + 1,) * 2, np.int64)
    for item in source.items:
        if item.truth is None:
            continue
        truth, path = source.truth(item), folder / f"{item.name}.png"
        labels = read_labels(path) if path.is_file() else np.zeros_like(truth)
        matrix += confusion(labels, truth, len(matrix))
    return {name: 100 * miou(matrix)} if matrix.any() else {}


def _read(item: Item) -> np.ndarray:
    return require_usable(read_image(item.image), item.name)
