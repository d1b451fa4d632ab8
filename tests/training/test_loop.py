"""The training loop: schedules, measures, and every way in which it ends."""

import math
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from backend.errors import DataError
from backend.exchange.sources import open_source
from training import checkpoints
from training.data import Batch, Batches, TaggedImages
from training.errors import TrainingError
from training.events import EventWriter
from training.loop import Diverged, OutOfMemory, Plan, Position, fit
from training.machine import Machine, open_fabric
from training.run import Cancelled, Run
from training.views import Augmentation

from .conftest import events_of

Step = Callable[[nn.Module, Batch], tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]]


def loss_of(network: nn.Module, batch: Batch) -> tuple[dict, dict]:
    scores = network(batch.images.float() / 255).mean(dim=(2, 3))
    loss = nn.functional.binary_cross_entropy_with_logits(scores, batch.tags)
    return {"total": loss}, {"tag_accuracy": (scores > 0).float().mean()}


class Trainer:
    """A one-layer network on the tiny images, trained through `fit`."""

    def __init__(self, data: Path, folder: Path, *, resume: bool = False, seed: int = 0) -> None:
        folder.mkdir(exist_ok=True)
        torch.manual_seed(seed)
        # Dropout draws from torch's own generator, which a checkpoint must carry, too.
        self.network = nn.Sequential(nn.Dropout(0.3), nn.Conv2d(3, 2, 3))
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9)
        images = TaggedImages(open_source(data), [8, 12], Augmentation(16, "area", least=0.5))
        self.batches = Batches(images, 3, seed)
        self.run = Run("test", folder, resume=resume, events=EventWriter(folder))

    def fit(self, step: Step = loss_of, **plan: object) -> tuple[list[float], dict[str, float]]:
        network, means = fit(
            self.run,
            open_fabric(Machine(device="cpu", precision="32")),
            self.network,
            self.optimiser,
            self.batches,
            step,
            Plan(**{"epochs": 3, "schedule": "poly", **plan}),
            checkpoint_every=0,
            lower="--batch (now 3)",
        )
        return [float(v) for p in network.parameters() for v in p.detach().flatten()], means


def after(count: int, then: Callable[[], object]) -> Step:
    """loss_of, and something else at the step of this number."""
    steps = [0]

    def step(network: nn.Module, batch: Batch) -> tuple[dict, dict]:
        steps[0] += 1
        losses, measures = loss_of(network, batch)
        if steps[0] == count and (changed := then()) is not None:
            return {"total": losses["total"] * changed}, measures
        return losses, measures

    return step


def test_the_rate_falls_as_the_plan_says():
    step = Plan(epochs=1, schedule="step", decay_at=2 / 3, decay=0.1)
    assert [step.factor(n, 30_000) for n in (0, 19_999, 20_000, 29_999)] == [1, 1, 0.1, 0.1]
    poly = Plan(epochs=1, schedule="poly", power=0.9)
    assert poly.factor(0, 10) == 1
    assert poly.factor(5, 10) == pytest.approx(0.5**0.9)
    assert Plan(epochs=1, schedule="constant").factor(9, 10) == 1
    rising = Plan(epochs=1, schedule="constant", warmup=4)
    assert [rising.factor(n, 100) for n in range(5)] == [0.25, 0.5, 0.75, 1, 1]


def test_a_warm_up_takes_at_most_half_of_the_run(tiny_voc: Path, tmp_path: Path):
    trainer = Trainer(tiny_voc, tmp_path / "long")
    trainer.fit(warmup=100, schedule="constant")
    said = [e["text"] for e in events_of(tmp_path / "long") if e["kind"] == "message"]
    assert said == ["The learning rate rises over 4 steps, not 100 (--warmup): the run has only 9."]
    last = [e for e in events_of(tmp_path / "long") if e["kind"] == "progress"][-1]
    assert last["learning_rate"] == 0.1

    Trainer(tiny_voc, tmp_path / "fits").fit(warmup=4)
    assert not [e for e in events_of(tmp_path / "fits") if e["kind"] == "message"]
    assert Plan(epochs=1, warmup=1).within(1) == Plan(epochs=1, warmup=1)


def test_steps_go_before_epochs():
    assert Plan(epochs=3).length(7) == 21
    assert Plan(epochs=3, steps=10).length(7) == 10


def test_epochs_report_the_mean_loss_and_measures(tiny_voc: Path, tmp_path: Path):
    trainer = Trainer(tiny_voc, tmp_path / "run")
    _, means = trainer.fit()
    epochs = [event for event in events_of(tmp_path / "run") if event["kind"] == "epoch"]
    assert [event["epoch"] for event in epochs] == [1, 2, 3]
    assert epochs[-1]["loss"] == means["total"]
    assert epochs[-1]["tag_accuracy"] == means["tag_accuracy"]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    last = [event for event in events_of(tmp_path / "run") if event["kind"] == "progress"][-1]
    assert (last["step"], last["steps"], last["epoch"], last["epochs"]) == (9, 9, 3, 3)
    assert {"loss", "learning_rate", "images_per_second", "seconds_left"} <= set(last)


def test_a_cancelled_run_saves_and_ends_as_if_it_had_not_been(tiny_voc: Path, tmp_path: Path):
    whole, _ = Trainer(tiny_voc, tmp_path / "whole").fit()

    stopped = Trainer(tiny_voc, tmp_path / "stopped")
    stop = after(5, lambda: setattr(stopped.run.stop, "signal", signal.SIGTERM))
    with pytest.raises(Cancelled):
        stopped.fit(stop)
    assert checkpoints.newest(tmp_path / "stopped") == tmp_path / "stopped/checkpoint-00000005.pt"

    resumed, means = Trainer(tiny_voc, tmp_path / "stopped", resume=True, seed=0).fit()
    assert resumed == whole
    assert means["total"] > 0


def test_a_finished_training_resumed_changes_nothing(tiny_voc: Path, tmp_path: Path):
    whole, means = Trainer(tiny_voc, tmp_path / "run").fit()
    again = Trainer(tiny_voc, tmp_path / "run", resume=True).fit(after(1, lambda: math.nan))
    assert again == (whole, means)


def test_a_loss_that_is_no_number_stops_at_its_step_and_keeps_the_checkpoint(
    tiny_voc: Path, tmp_path: Path
):
    trainer = Trainer(tiny_voc, tmp_path / "run")
    with pytest.raises(Diverged, match=r"became nan at step 5 of 9.*00004\.pt.*--learning-rate"):
        trainer.fit(after(5, lambda: math.nan))
    kept = torch.load(checkpoints.newest(tmp_path / "run"), weights_only=True)
    assert all(bool(v.isfinite().all()) for v in kept["kept"]["network"].values())
    assert kept["position"]["step"] == 4


def test_a_loss_that_is_no_number_at_the_last_step_names_it(tiny_voc: Path, tmp_path: Path):
    with pytest.raises(Diverged, match="became nan at step 9 of 9"):
        Trainer(tiny_voc, tmp_path / "run").fit(after(9, lambda: math.nan))


def test_weights_that_are_no_numbers_never_replace_a_good_checkpoint(
    tiny_voc: Path, tmp_path: Path
):
    """A loss may be a number whose gradient is none: sqrt's at 0 is infinite."""
    trainer = Trainer(tiny_voc, tmp_path / "run")

    def root_of_nothing() -> torch.Tensor:
        return 1 + (trainer.network[1].weight * 0).sum().sqrt()

    said = r"weights were no longer numbers after step 5 of 9.*00004\.pt is from before.*--clip"
    with pytest.raises(Diverged, match=said):
        trainer.fit(after(5, root_of_nothing))
    kept = torch.load(checkpoints.newest(tmp_path / "run"), weights_only=True)
    assert kept["position"]["step"] == 4
    assert all(bool(v.isfinite().all()) for v in kept["kept"]["network"].values())


def test_full_gpu_memory_is_a_sentence_that_names_what_to_lower(tiny_voc: Path, tmp_path: Path):
    def full() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    trainer = Trainer(tiny_voc, tmp_path / "run")
    with pytest.raises(OutOfMemory, match=r"memory of the GPU .* Lower --batch \(now 3\)"):
        trainer.fit(after(2, full))


def test_full_main_memory_is_the_same_sentence(tiny_voc: Path, tmp_path: Path):
    def full() -> None:
        torch.empty(1 << 60, dtype=torch.uint8)

    trainer = Trainer(tiny_voc, tmp_path / "run")
    with pytest.raises(OutOfMemory, match=r"memory of this machine .* Lower --batch"):
        trainer.fit(after(2, full))


def test_other_mistakes_are_not_taken_for_full_memory(tiny_voc: Path, tmp_path: Path):
    def wrong() -> None:
        torch.zeros(2) @ torch.zeros(3)

    with pytest.raises(RuntimeError, match="size"):
        Trainer(tiny_voc, tmp_path / "run").fit(after(2, wrong))


def test_a_full_disk_leaves_the_checkpoint_before_it_whole(tiny_voc: Path, tmp_path: Path):
    """The file size limit stands in for the full disk: writing fails half way in both."""
    trainer = Trainer(tiny_voc, tmp_path / "run")
    trainer.fit(epochs=1)
    before = checkpoints.newest(tmp_path / "run")
    content = before.read_bytes()
    saver = checkpoints.Saver(tmp_path / "run", {"network": trainer.network}, 0, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DataError, match="could not be written"):
            saver.save(Position(step=99))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, heard)
    assert before.read_bytes() == content
    assert [path.name for path in (tmp_path / "run").glob("*checkpoint*")] == [before.name]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not a checkpoint", None])
def test_a_damaged_checkpoint_is_a_sentence(tiny_voc: Path, tmp_path: Path, damage: bytes | None):
    Trainer(tiny_voc, tmp_path / "run").fit(epochs=1)
    path = checkpoints.newest(tmp_path / "run")
    path.write_bytes(path.read_bytes()[:-200] if damage is None else damage)
    with pytest.raises(TrainingError, match=r"cannot be read .* damaged"):
        Trainer(tiny_voc, tmp_path / "run", resume=True).fit()


def test_a_checkpoint_of_another_network_is_refused(tiny_voc: Path, tmp_path: Path):
    Trainer(tiny_voc, tmp_path / "run").fit(epochs=1)
    other = Trainer(tiny_voc, tmp_path / "run", resume=True)
    other.network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 1))
    other.optimiser = torch.optim.SGD(other.network.parameters(), lr=0.1)
    with pytest.raises(TrainingError, match="not a checkpoint of this run"):
        other.fit()


def test_a_checkpoint_that_would_run_code_is_not_run(tiny_voc: Path, tmp_path: Path):
    folder = tmp_path / "run"
    folder.mkdir()
    torch.save({"format": checkpoints.FORMAT, "kept": Path("/")}, folder / "checkpoint-1.pt")
    with pytest.raises(TrainingError, match="cannot be read"):
        Trainer(tiny_voc, folder, resume=True).fit()


def test_saving_takes_a_bounded_part_of_the_time(tmp_path: Path):
    saver = checkpoints.Saver(tmp_path, {}, every=60, most=0.02)
    saver._took = 10.0  # a large network on a slow disk
    saver._last -= 120
    assert not saver.is_due
    saver._last -= 400
    assert saver.is_due


def test_a_gradient_is_cut_to_its_largest_norm(tiny_voc: Path, tmp_path: Path):
    free, _ = Trainer(tiny_voc, tmp_path / "free").fit(epochs=1, steps=1)
    cut, _ = Trainer(tiny_voc, tmp_path / "cut").fit(epochs=1, steps=1, clip=1e-6)
    torch.manual_seed(0)
    start = [
        float(v)
        for p in nn.Sequential(nn.Dropout(0.3), nn.Conv2d(3, 2, 3)).parameters()
        for v in p.detach().flatten()
    ]
    moved = math.dist(free, start), math.dist(cut, start)
    assert moved[0] > 1e-3
    assert moved[1] <= 1.2e-7
