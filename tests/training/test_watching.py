"""Watching a training: what is seen and told, and that nothing is changed by it."""

import json
import math
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from backend.errors import DataError
from backend.exchange.sources import Item, Source, open_source
from backend.labels import read_heat
from backend.networks.classifier import ClassifierOutput
from backend.networks.normalisation import TORCHVISION
from training import checkpoints
from training.data import Batch, Batches, TaggedImages
from training.events import EventWriter
from training.examples import spread
from training.film import MOST_FRAMES, PART, frame_interval, places
from training.loop import Diverged, Plan, fit
from training.machine import Machine, open_fabric
from training.run import Cancelled, Run
from training.views import Augmentation
from training.watching import Watcher, held_out_source

from .conftest import events_of, paint_voc

CLASSES = [8, 12]


class Killed(BaseException):
    """As if the process had ended here."""


class Network(nn.Module):
    """Dropout draws from torch, batch normalisation remembers: what a look must leave alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.Dropout(0.3), nn.Conv2d(4, 2, 1)
        )

    def forward(self, images: torch.Tensor) -> ClassifierOutput:
        maps = self.layers(images)
        return ClassifierOutput(maps.mean(dim=(2, 3)), maps)


def look_through(network: nn.Module, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
    return network(images)


def draw_and_look(network: nn.Module, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
    torch.rand(3)
    return look_through(network, images, tags)


class Training:
    """Twelve steps on the tiny images, watched every third, or as `watching` says."""

    def __init__(self, data: Path, folder: Path, *, resume: bool = False, **watching: Any) -> None:
        folder.mkdir(exist_ok=True)
        torch.manual_seed(0)
        self.network = Network()
        self.source = open_source(data)
        images = TaggedImages(self.source, CLASSES, Augmentation(32, "area", least=0.5))
        self.batches = Batches(images, 3, 0)
        self.run = Run("test", folder, data, resume=resume, events=EventWriter(folder))
        self.fabric = open_fabric(Machine(device="cpu", precision="32"))
        self.watch = watcher(
            self.run, self.source, **{"every": 3, "attend": draw_and_look, **watching}
        )

    def fit(
        self,
        *,
        watched: bool = True,
        at: dict[int, Callable[[], Any]] | None = None,
        checkpoint_every: float = 0.0,
        steps: int = 12,
    ) -> dict[str, torch.Tensor]:
        """The network's tensors in the end; `at` names what else happens in a step's place."""
        optimiser = torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9)
        done = [checkpoints.newest(self.run.folder)] if self.run.resume else []
        count = [int(done[0].stem[-8:]) if done and done[0] else 0]

        def step(network: nn.Module, batch: Batch) -> tuple[dict, dict]:
            count[0] += 1
            scores = network(TORCHVISION.batch(batch.images)).scores
            loss = nn.functional.binary_cross_entropy_with_logits(scores, batch.tags)
            if at and count[0] in at and (factor := at[count[0]]()) is not None:
                loss = loss * factor
            return {"total": loss}, {}

        network, _ = fit(
            self.run,
            self.fabric,
            self.network,
            optimiser,
            self.batches,
            step,
            Plan(epochs=1, steps=steps, schedule="constant"),
            watch=self.watch if watched else None,
            checkpoint_every=checkpoint_every,
        )
        return network.state_dict()


def watcher(run: Run, source: Source, **how: Any) -> Watcher:
    """A watcher at 48 pixels of classes 8 and 12; `how` differs."""
    attend = how.pop("attend", look_through)
    fabric = open_fabric(Machine(device="cpu", precision="32"))
    return Watcher(run, fabric, source, CLASSES, TORCHVISION, 48, attend, **{"every": 1, **how})


def seeing(scores: list[float], maps: np.ndarray) -> Callable[..., ClassifierOutput]:
    """An `attend` that sees the same (2,h,w) in every image."""

    def attend(network: nn.Module, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        count = len(images)
        told = torch.tensor([scores] * count)
        return ClassifierOutput(told, torch.from_numpy(np.stack([maps] * count)).float())

    return attend


def told(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [event for event in events_of(folder) if event["kind"] == kind]


@pytest.fixture
def run(tiny_voc: Path, tmp_path: Path) -> Run:
    folder = tmp_path / "run"
    folder.mkdir()
    return Run("test", folder, tiny_voc, events=EventWriter(folder))


def test_a_watched_run_ends_with_the_tensors_of_one_that_is_not(tiny_voc: Path, tmp_path: Path):
    plain = Training(tiny_voc, tmp_path / "plain").fit(watched=False)
    numpy_before = np.random.get_state()[1].tolist()  # noqa: NPY002
    watched = Training(tiny_voc, tmp_path / "watched").fit()
    assert len(told(tmp_path / "watched", "film")) == 4
    assert set(plain) == set(watched)
    assert all(torch.equal(plain[name], watched[name]) for name in plain)
    assert np.random.get_state()[1].tolist() == numpy_before  # noqa: NPY002


def test_a_look_is_taken_in_evaluation_mode_and_training_goes_on(tiny_voc: Path, tmp_path: Path):
    modes: list[bool] = []

    def attend(network: nn.Module, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        modes.append(network.training)
        return network(images)

    training = Training(tiny_voc, tmp_path / "run", attend=attend)
    training.fit(at={4: lambda: modes.append(training.network.training)})
    assert modes[0] is False
    assert True in modes
    assert modes[-1] is False


def test_a_killed_and_resumed_run_has_every_frame_once(tiny_voc: Path, tmp_path: Path):
    Training(tiny_voc, tmp_path / "whole").fit()

    def kill() -> None:
        raise Killed

    out = tmp_path / "hurt"
    asked = Training(tiny_voc, out)
    with pytest.raises(Cancelled):
        asked.fit(at={5: lambda: setattr(asked.run.stop, "signal", signal.SIGTERM)})
    # Steps 6 and 9 are looked at and then lost: the checkpoint is that of step 5.
    with pytest.raises(Killed):
        Training(tiny_voc, out, resume=True).fit(at={11: kill}, checkpoint_every=1e9)
    Training(tiny_voc, out, resume=True).fit()
    names = ["00000003.png", "00000006.png", "00000009.png", "00000012.png", "photographs.jpg"]
    assert sorted(path.name for path in (out / "film").iterdir()) == names
    for name in names:
        whole = tmp_path / "whole" / "film" / name
        assert (out / "film" / name).read_bytes() == whole.read_bytes()
    assert [event["step"] for event in told(out, "film")] == [3, 6, 9, 6, 9, 12]


def test_looks_come_at_the_steps_asked_for_and_after_the_last(run: Run):
    def at(every: int, steps: int) -> list[int]:
        watch = watcher(run, open_source(run.data), every=every)
        return [step for step in range(1, steps + 1) if watch.due(step, steps)]

    assert at(5, 12) == [5, 10, 12]
    assert at(0, 100) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert at(0, 4010) == [*range(201, 4010, 201), 4010]
    assert at(-1, 100) == []
    assert at(0, 4) == [4]


@pytest.mark.parametrize("steps", [1, 59, 60, 61, 599, 600, 30_000])
@pytest.mark.parametrize("between", [1, 10, 500])
def test_a_film_is_never_longer_than_sixty_frames(between: int, steps: int):
    frames = frame_interval(between, steps)
    assert frames % between == 0
    shown = {*range(frames, steps + 1, frames), steps}
    assert len(shown) <= MOST_FRAMES
    if steps // between >= 2:
        assert len(shown) >= min(steps // between, MOST_FRAMES // 2)


def test_a_long_run_looked_at_often_stays_small(run: Run):
    watch = watcher(run, open_source(run.data), every=10)
    steps = [step for step in range(10, 1501, 10) if watch.due(step, 1500)]
    network = Network().eval()
    for step in steps:
        watch.due(step, 1500)
        watch.look(network, step)
    assert len(told(run.folder, "validation")) == len(steps) == 150
    frames = sorted((run.folder / "film").glob("*.png"))
    assert len(frames) == len(told(run.folder, "film")) == 38
    assert frames[-1].name == "00001500.png"


def test_a_frame_shows_each_examples_heat_where_its_photograph_stands(run: Run):
    maps = np.zeros((2, 8, 8))
    maps[0, :, :4] = 5.0  # a cat in the left half, a dog in the right, of other strengths
    maps[1, :, 4:] = 0.2
    watch = watcher(run, open_source(run.data), attend=seeing([1, 1], maps))
    watch.due(1, 1)
    watch.look(Network(), 1)
    (event,) = told(run.folder, "film")
    assert event["file"] == "film/00000001.png"
    strip = read_heat(run.folder / event["file"])
    photographs = cv2.imread(str(run.folder / "film" / "photographs.jpg"))
    assert strip.shape == photographs.shape[:2]
    assert strip.shape[0] == PART
    assert sorted(part["image"] for part in event["frame"]) == [f"im{n}" for n in range(8)]
    for part, after in pairwise([*event["frame"], {"left": 1 << 20}]):
        assert part["left"] + part["width"] <= after["left"]
        here = strip[:, part["left"] : part["left"] + part["width"]]
        left, right = here[:, : part["width"] // 3], here[:, -part["width"] // 3 :]
        strong, weak = (left, right) if part["tag"] == "cat" else (right, left)
        assert strong.min() == 1.0
        assert weak.max() == 0.0
        photograph = photographs[:, part["left"] : part["left"] + part["width"]]
        assert photograph.std() > 10


def test_places_keep_the_shape_of_a_photograph_and_do_not_overlap():
    found = places([("a", "cat", (300, 400)), ("b", "cat", (4, 400)), ("c", "dog", (400, 4))])
    assert [place.width for place in found] == [128, 240, 32]
    assert [place.left for place in found] == [0, 128, 368]


def test_maps_as_the_truth_are_a_map_miou_of_100(run: Run, tmp_path: Path):
    """Every image of one class, its map the true mask itself: no threshold from 0.05 on errs."""
    source = open_source(run.data)
    cats = replace(source, items=[item for item in source.items if item.tags == (8,)])
    truth = (cats.truth(cats.items[0]) == 8).astype(np.float64)
    watch = watcher(run, cats, attend=seeing([1, -1], np.stack([truth, truth])))
    watch.due(1, 1)
    watch.look(Network(), 1)
    (event,) = told(run.folder, "validation")
    assert event["miou"] == 100.0
    assert event["threshold"] == 0.05
    assert event["looked_at"] == len(cats.items)
    assert event["tag_accuracy"] is None
    assert event["images"] == 0


def test_tag_accuracy_counts_the_pairs_decided_rightly(run: Run):
    """Of the images with a cat, a dog or both, 'a cat and no dog' gets these pairs right."""
    source = open_source(run.data)
    held_out = replace(source, items=source.items[:6])
    pairs = [((8 in item.tags), (12 not in item.tags)) for item in held_out.items]
    expected = sum(cat + dog for cat, dog in pairs) / (2 * len(pairs))
    assert 0 < expected < 1
    maps = np.ones((2, 4, 4))
    watch = watcher(run, source, attend=seeing([0.1, -0.1], maps), held_out=held_out)
    watch.due(1, 1)
    watch.look(Network(), 1)
    (event,) = told(run.folder, "validation")
    assert event["tag_accuracy"] == pytest.approx(expected)
    assert event["images"] == 6


def test_examples_are_spread_over_the_classes_whatever_the_order():
    names = [f"image{number}" for number in range(40)]
    items = [Item(name, Path(name), (1,)) for name in names]
    items += [Item(f"rare{n}", Path("x"), (2, 3)) for n in range(2)]
    chosen = spread(items, [1, 2, 3], 6)
    assert [tag for _, tag in chosen][:3] == [1, 2, 3]
    assert sum(item.name.startswith("rare") for item, _ in chosen) == 2
    assert len({item.name for item, _ in chosen}) == 6
    assert all(tag in item.tags for item, tag in chosen)
    assert spread(items[::-1], [1, 2, 3], 6) == chosen
    assert len(spread(items, [1, 2, 3], 100)) == 42
    assert spread(items, [4], 5) == []


def test_examples_with_a_true_mask_go_first():
    items = [Item(f"image{n}", Path("x"), (1,)) for n in range(30)]
    items[17] = replace(items[17], truth=Path("mask"))
    assert spread(items, [1], 1) == [(items[17], 1)]


def test_an_unreadable_image_is_left_out_and_named_once(tmp_path: Path):
    data = paint_voc(tmp_path / "data")
    (data / "JPEGImages" / "im3.jpg").write_bytes(b"not a photograph")
    (data / "SegmentationClass" / "im4.png").write_bytes(b"not a mask")
    run = Run("test", tmp_path / "run", data, events=EventWriter(tmp_path))
    watch = watcher(run, open_source(data))
    for step in (1, 2):
        watch.due(step, 2)
        watch.look(Network().eval(), step)
    texts = [event["text"] for event in told(tmp_path, "message")]
    assert len(texts) == 2
    assert sum("im3" in text for text in texts) == 1
    assert sum("im4" in text for text in texts) == 1
    assert all(text.endswith("Watching goes on without it.") for text in texts)
    assert len(told(tmp_path, "film")[-1]["frame"]) == 7
    assert told(tmp_path, "validation")[-1]["looked_at"] == 6


def test_a_look_at_a_network_that_diverged_shows_nothing_and_leaves_the_sentence_to_the_loop(
    tiny_voc: Path, tmp_path: Path
):
    training = Training(tiny_voc, tmp_path / "run", every=1)

    def break_it() -> None:
        with torch.no_grad():
            training.network.layers[0].weight.fill_(math.nan)

    looked = training.watch.look

    def look(network: nn.Module, step: int) -> None:
        if step == 2:
            break_it()
        looked(network, step)

    training.watch.look = look  # type: ignore[method-assign]
    with pytest.raises(Diverged, match=r"(after step 2|at step 3) of 12"):
        training.fit()
    assert read_heat(tmp_path / "run" / "film" / "00000002.png").max() == 0.0


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """The file size limit stands in for the full disk: writing fails half way in both."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, heard)


def test_a_full_disk_is_a_sentence_and_leaves_no_part_of_a_frame(run: Run):
    watch = watcher(
        run,
        open_source(run.data),
        attend=seeing([1, 1], np.random.default_rng(0).random((2, 48, 48))),
    )
    watch.due(1, 2)
    watch.look(Network(), 1)
    before = sorted((run.folder / "film").iterdir())
    watch.due(2, 2)
    with full_disk(4000), pytest.raises(DataError, match=r"could not be written.*Free some space"):
        watch.look(Network(), 2)
    assert sorted((run.folder / "film").iterdir()) == before


def test_measures_wait_where_they_would_cost_too_much(run: Run):
    """Steps take a second and every look ten, so that one in 25 x 10 seconds may be measured."""
    now = [0.0]

    def slow(network: nn.Module, images: torch.Tensor, tags: torch.Tensor) -> ClassifierOutput:
        now[0] += 10.0 / 2
        return seeing([1, 1], np.ones((2, 4, 4)))(network, images, tags)

    source = open_source(run.data)
    for every in (0, 50):
        now[0] = 0.0
        watch = watcher(
            run, source, every=every, attend=slow, held_out=source, clock=lambda: now[0]
        )
        for step in range(1, 1001):
            now[0] += 1.0
            if watch.due(step, 1000):
                watch.look(Network(), step)
    steps = [event["step"] for event in told(run.folder, "validation")]
    automatic, asked = steps[: steps.index(1000) + 1], steps[steps.index(1000) + 1 :]
    assert asked == list(range(50, 1001, 50))
    assert automatic[0] == 50
    assert automatic[-1] == 1000
    assert len(automatic) <= 5
    assert len(told(run.folder, "film")) == 40


def test_without_truth_and_without_held_out_images_there_is_only_the_film(run: Run):
    source = open_source(run.data)
    blind = replace(source, items=[replace(item, truth=None) for item in source.items])
    watch = watcher(run, blind)
    watch.due(1, 1)
    watch.look(Network().eval(), 1)
    assert [event["kind"] for event in events_of(run.folder)] == ["film"]


@pytest.fixture
def with_val(tmp_path: Path) -> Path:
    """Eight images: six in the list train, of which one is in val too, and two only in val."""
    data = paint_voc(tmp_path / "data")
    lists = data / "ImageSets" / "Segmentation"
    (lists / "train.txt").write_text("\n".join(f"im{n}" for n in range(6)) + "\n")
    (lists / "val.txt").write_text("im5\nim6\nim7\n")
    (lists / "test.txt").write_text("im7\n")
    return data


def test_what_is_trained_on_or_masked_is_not_held_out(with_val: Path, tmp_path: Path):
    run = Run("test", tmp_path, with_val, events=EventWriter(tmp_path))
    held_out = held_out_source(run, open_source(with_val).tagged())
    assert held_out is not None
    assert [item.name for item in held_out.items] == ["im6", "im7"]
    assert all(item.truth is None and item.tags for item in held_out.items)
    assert told(tmp_path, "message") == []


@pytest.mark.parametrize(
    ("split", "spoil", "reason"),
    [
        ("all", None, "every tagged image of the list val is trained on"),
        (None, "remove", "the data has no list of images named val"),
        (None, "im99\n", "names 1 image not to be found in"),
    ],
)
def test_why_nothing_is_held_out_is_said(
    with_val: Path, tmp_path: Path, split: str | None, spoil: str | None, reason: str
):
    listed = with_val / "ImageSets" / "Segmentation" / "val.txt"
    if spoil == "remove":
        listed.unlink()
    elif spoil:
        listed.write_text(spoil)
    run = Run("test", tmp_path, with_val, events=EventWriter(tmp_path))
    assert held_out_source(run, open_source(with_val, split).tagged()) is None
    (message,) = told(tmp_path, "message")
    assert message["text"].startswith("No validation accuracy is measured: ")
    assert reason in message["text"]


def test_plain_images_with_tags_have_nothing_to_hold_out(with_val: Path, tmp_path: Path):
    plain = tmp_path / "plain"
    shutil.copytree(with_val / "JPEGImages", plain)
    shutil.copy(with_val / "tags.csv", plain)
    run = Run("test", tmp_path, plain, events=EventWriter(tmp_path))
    assert held_out_source(run, open_source(plain).tagged()) is None


def test_events_are_lines_that_a_reader_takes(run: Run):
    from backend.events import Position, read_events

    watch = watcher(run, open_source(run.data))
    watch.due(1, 1)
    watch.look(Network().eval(), 1)
    events, _ = read_events(run.folder / "events.jsonl", Position())
    assert [event["kind"] for event in events] == ["validation", "film"]
    assert json.loads(json.dumps(events[1]["frame"]))[0].keys() == {"image", "tag", "left", "width"}
