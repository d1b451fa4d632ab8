"""Work on one image after another by several threads: in order, a few ahead, with the time left."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from training.run import Run

Thing = TypeVar("Thing")
Result = TypeVar("Result")

AHEAD = 2


def stream(
    run: Run,
    things: Iterable[Thing],
    work: Callable[[Thing], Result],
    threads: int,
    *,
    total: int,
    done: int = 0,
    stage: str,
) -> Iterator[Result]:
    """What `work` makes of each thing, in their order, by so many threads.

    No more than `AHEAD` things a thread are under way or wait to be taken, so that memory does not
    grow with their number. `total` is how many there are with the `done` ones of an earlier start;
    progress is told with `stage`. Raises what `work` raises, at its thing's turn, and Cancelled
    between two of them; threads then finish what they hold and take nothing more.
    """
    begun = time.monotonic()
    left = iter(things)
    waiting: deque[Future[Result]] = deque()
    workers = ThreadPoolExecutor(threads)
    try:
        finished = done
        while True:
            while len(waiting) < AHEAD * threads:
                try:
                    waiting.append(workers.submit(work, next(left)))
                except StopIteration:
                    break
            if not waiting:
                return
            yield waiting.popleft().result()
            finished += 1
            a_thing = (time.monotonic() - begun) / (finished - done)
            run.progress(
                finished,
                total,
                always=finished == total,
                stage=stage,
                images_per_second=1 / max(a_thing, 1e-9),
                seconds_left=a_thing * (total - finished),
            )
            run.check()
    finally:
        workers.shutdown(cancel_futures=True)
