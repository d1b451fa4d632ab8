"""The training loop, from top to bottom: every recipe that takes gradient steps runs through `fit`.

A run that was killed and resumed ends with the same numbers as one that was not: a checkpoint holds
the network, the optimiser, the place in the epoch and torch's random state, and everything random
about a sample comes from (seed, epoch, image).
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from training import checkpoints
from training.data import Batch, Batches
from training.errors import Diverged, OutOfMemory
from training.run import Run

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Values = dict[str, torch.Tensor]
Step = Callable[[nn.Module, Batch], tuple[Values, Values]]

# Saving takes at most this part of the time, however large the network.
MOST_TIME_SAVING = 0.02


class Kept(Protocol):
    """Whatever a recipe wants in its checkpoints beside the network."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Any, /) -> Any: ...


class Watch(Protocol):
    """Whatever looks at the network on its way and changes nothing about it."""

    def due(self, step: int, steps: int) -> bool: ...
    def look(self, network: nn.Module, step: int) -> None: ...


@dataclass(frozen=True)
class Plan:
    """How long and how fast: `steps` steps, or `epochs` epochs where it is 0.

    schedule "step": the rate times `decay` after the part `decay_at` of the run; "poly": times
    (1 - part)^power; "constant". `warmup` steps rise to the rate first, at most half of the run.
    `clip` limits the gradient's norm, 0 leaves it.
    """

    epochs: int
    steps: int = 0
    schedule: str = "step"
    decay_at: float = 2 / 3
    decay: float = 0.1
    power: float = 0.9
    warmup: int = 0
    clip: float = 0.0

    def length(self, an_epoch: int) -> int:
        return self.steps or self.epochs * an_epoch

    def within(self, steps: int) -> "Plan":
        """This plan with a warm-up that a run of so many steps has room for."""
        return replace(self, warmup=min(self.warmup, max(1, steps // 2)))

    def factor(self, step: int, steps: int) -> float:
        """What the learning rates are multiplied by at this step of so many."""
        part = step / steps
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.schedule == "poly":
            return rise * (1.0 - part) ** self.power
        if self.schedule == "step" and part >= self.decay_at:
            return rise * self.decay
        return rise


@dataclass
class Position:
    """Where a run stands: steps and epochs done, batches done of this epoch, and their sums."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    images: int = 0
    last: dict[str, float] = field(default_factory=dict)


def fit(
    run: Run,
    fabric: "Fabric",
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Batches,
    step: Step,
    plan: Plan,
    *,
    keep: Mapping[str, Kept] | None = None,
    watch: Watch | None = None,
    about: Mapping[str, str] | None = None,
    checkpoint_every: float = 60.0,
    lower: str = "--batch",
) -> tuple[nn.Module, dict[str, float]]:
    """Trains a network; returns it set up on its device, and the means of the last whole epoch.

    `step(network, batch)` gives losses, of which "total" is followed downhill, and measures to
    average, one value an epoch. `keep` goes into the checkpoints; `watch` is asked after each step
    and looks before its checkpoint. `about`, with what the run's own says, is what must be the same
    where a checkpoint is gone on from. `lower` names the flags that lower the memory needed. Raises
    Diverged, OutOfMemory, TrainingError (a full disk, a checkpoint of another run) and, once saved,
    Cancelled.
    """
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network, optimiser = fabric.setup(network, optimiser)
    for group in optimiser.param_groups:
        group["initial_lr"] = group["lr"]
    kept: dict[str, Kept] = {"network": network, "optimiser": optimiser, **(keep or {})}
    position = Position()
    about = {**(about or {}), **run.about}
    if run.resume and checkpoints.restore(run.folder, kept, position, fabric.device, about):
        run.message(f"Resumed at step {position.step} from {checkpoints.newest(run.folder)}.")
    steps = plan.length(len(batches))
    asked, plan = plan.warmup, plan.within(steps)
    if plan.warmup < asked:
        run.message(
            f"The learning rate rises over {plan.warmup} steps, not {asked} (--warmup): the run "
            f"has only {steps}."
        )
    clock = Clock(position.step)
    saver = checkpoints.Saver(run.folder, kept, checkpoint_every, MOST_TIME_SAVING, about)
    network.train()
    run.begun = True
    while position.step < steps:
        for batch in batches.epoch(position.epoch, position.batch):
            factor = plan.factor(position.step, steps)
            for group in optimiser.param_groups:
                group["lr"] = group["initial_lr"] * factor
            try:
                losses, measures = step(network, fabric.to_device(batch))
                fabric.backward(losses["total"])
            except RuntimeError as problem:
                raise _explained(problem, lower) from problem
            values = {name: value.item() for name, value in {**losses, **measures}.items()}
            if not math.isfinite(values["total"]):
                what = f"The loss became {values['total']} at step {position.step + 1} of {steps}"
                raise Diverged(_diverged(run, what))
            if plan.clip:
                fabric.clip_gradients(network, optimiser, max_norm=plan.clip)
            optimiser.step()
            optimiser.zero_grad()

            position.step += 1
            position.batch += 1
            count = len(batch.images)
            position.images += count
            for name, value in values.items():
                position.sums[name] = position.sums.get(name, 0.0) + value * count
            clock.images += count
            if run.progress_is_due or position.step == steps:
                run.progress(
                    position.step,
                    steps,
                    always=True,
                    epoch=position.epoch + 1,
                    epochs=math.ceil(steps / len(batches)),
                    loss={name: values[name] for name in losses},
                    learning_rate=optimiser.param_groups[0]["lr"],
                    images_per_second=clock.images_per_second,
                    seconds_left=clock.seconds_left(position.step, steps),
                )
            if position.batch == len(batches) or position.step == steps:
                _end_epoch(run, position)
            if watch is not None and watch.due(position.step, steps):
                _look(watch, network, position.step, fabric.device)
            done = position.step == steps
            if saver.is_due or run.stopping or done:
                if not _is_finite(network):
                    what = f"The weights were no longer numbers after step {position.step} of "
                    raise Diverged(_diverged(run, f"{what}{steps}"))
                saver.save(position)
                run.event("checkpoint", step=position.step)
            run.check()
            if done:
                break
    network.eval()
    run.trained = f"step {position.step} of {steps}"
    return network, position.last


class Clock:
    """Images a second and seconds left, by what this process has done so far."""

    def __init__(self, step: int) -> None:
        self.start = time.monotonic()
        self.first = step
        self.images = 0

    @property
    def images_per_second(self) -> float:
        return self.images / max(1e-9, time.monotonic() - self.start)

    def seconds_left(self, step: int, steps: int) -> float:
        a_step = (time.monotonic() - self.start) / max(1, step - self.first)
        return a_step * (steps - step)


def _look(watch: Watch, network: nn.Module, step: int, device: torch.device) -> None:
    """One look in evaluation mode; torch's random states and the mode are then as before."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        network.eval()
        try:
            watch.look(network, step)
        finally:
            network.train()


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether torch failed because a device's memory is full."""
    return isinstance(problem, torch.OutOfMemoryError) or "can't allocate memory" in str(problem)


def _explained(problem: RuntimeError, lower: str) -> Exception:
    if not is_out_of_memory(problem):
        return problem
    where = "the GPU" if isinstance(problem, torch.OutOfMemoryError) else "this machine"
    return OutOfMemory(
        f"The memory of {where} does not hold a step of this training. Lower {lower}, or choose a "
        "smaller --backbone."
    )


def _is_finite(network: nn.Module) -> bool:
    """Whether every weight and statistic of a network is a number."""
    return all(bool(each.isfinite().all()) for each in network.state_dict().values())


def _diverged(run: Run, what: str) -> str:
    saved = checkpoints.newest(run.folder)
    kept = f"{saved} is from before" if saved else "there was no checkpoint yet"
    return (
        f"{what}, so the training stopped; {kept}. Lower --learning-rate, limit the gradient with "
        "--clip 5, or compute with --precision 32."
    )


def _end_epoch(run: Run, position: Position) -> None:
    means = {name: value / position.images for name, value in position.sums.items()}
    position.epoch += 1
    position.batch = position.images = 0
    position.sums = {}
    position.last = means
    others = {name: value for name, value in means.items() if name != "total"}
    run.event("epoch", epoch=position.epoch, step=position.step, loss=means["total"], **others)
    said = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in others.items())
    run.say(f"epoch {position.epoch}: loss {means['total']:.4f}{', ' + said if said else ''}")
