"""A stream of work keeps its order, stays small, tells the time left, and stops when asked."""

import signal
import threading
import time
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.events import EventWriter
from training.run import Cancelled, Run
from training.streaming import AHEAD, stream

from .conftest import events_of


def test_results_come_in_order_whichever_is_done_first(tmp_path: Path) -> None:
    def work(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number * number

    made = stream(Run("labels", tmp_path), range(20), work, 4, total=20, stage="labels")
    assert list(made) == [number * number for number in range(20)]


def test_few_things_are_under_way_however_many_there_are(tmp_path: Path) -> None:
    taken = []

    def things():
        for number in range(1000):
            taken.append(number)
            yield number

    made = stream(Run("labels", tmp_path), things(), lambda thing: thing, 3, total=1000, stage="")
    for number in made:
        assert len(taken) <= number + 1 + 3 * AHEAD
        if number == 40:
            break
    made.close()
    assert len(taken) <= 41 + 3 * AHEAD


def test_threads_work_beside_each_other(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=20)
    made = stream(Run("labels", tmp_path), range(2), lambda _: both.wait(), 2, total=2, stage="")
    assert sorted(made) == [0, 1]


def test_progress_counts_what_was_done_before_and_tells_the_time_left(tmp_path: Path) -> None:
    run = Run("labels", tmp_path, events=EventWriter(tmp_path))
    run.progress(0, 1)
    made = stream(run, range(3), lambda _: time.sleep(0.02), 1, total=10, done=7, stage="crf")
    assert len(list(made)) == 3
    told = [event for event in events_of(tmp_path) if event["kind"] == "progress"]
    assert (told[-1]["step"], told[-1]["steps"], told[-1]["stage"]) == (10, 10, "crf")
    assert told[-1]["seconds_left"] == 0
    assert 0 < told[-1]["images_per_second"] < 60


def test_a_stop_is_heard_between_two_things_and_a_mistake_is_raised(tmp_path: Path) -> None:
    run = Run("labels", tmp_path)
    made = stream(run, range(100), lambda thing: thing, 2, total=100, stage="")
    assert next(made) == 0
    run.stop.signal = signal.SIGTERM
    with pytest.raises(Cancelled):
        next(made)

    def refuse(number: int) -> int:
        if number == 2:
            raise TrainingError("no")
        return number

    made = stream(Run("labels", tmp_path), range(9), refuse, 2, total=9, stage="")
    seen: list[int] = []
    with pytest.raises(TrainingError, match="no"):
        seen.extend(made)
    assert seen == [0, 1]
