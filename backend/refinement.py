"""The dense CRF in processes of its own, so that no page waits and no crash spreads.

A worker is `python -m backend.refinement`: it imports numpy, OpenCV, backend.maps and pydensecrf,
and answers on its standard output. Started with subprocess and not with multiprocessing, whose
spawn would import the program's main module again, and with it gradio and torch.
"""

import contextlib
import io
import json
import os
import queue
import struct
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.errors import RefinementError
from backend.maps import crf

PROJECT_ROOT = Path(__file__).resolve().parents[1]
_LENGTH = struct.Struct("<Q")
# A page's reader does not wait longer; work on a folder may, for the machine may be busy.
PAGE_TIMEOUT, FOLDER_TIMEOUT = 60.0, 1800.0
# Its time and memory grow with the area; larger photographs are refined at this longer side.
LARGEST_FOR_CRF = 1024
_SHUT_DOWN = "The dense CRF has been shut down with the program; start it again to refine masks."


class WorkerDied(RefinementError):
    """A worker's process ended while it worked on an image, killed or crashed."""


class CrfPool:
    """Dense CRF refinements by worker processes that start when first needed.

    Usable from many threads; at most `processes` images are worked on at a time, the rest wait.
    `timeout` bounds, in seconds, the wait for a free worker and then the work on one image.
    `retries`: how often an image is given to a new worker after one died over it.
    """

    def __init__(self, processes: int = 1, timeout: float = PAGE_TIMEOUT, retries: int = 0) -> None:
        if processes < 1 or timeout <= 0:
            raise ValueError(
                "A CrfPool needs at least one process and a timeout above 0 s, "
                f"but got {processes} and {timeout}."
            )
        self._timeout = timeout
        self._retries = retries
        self._reason = crf.missing()
        self._closed = False
        self._workers = [_Worker() for _ in range(processes)]
        # Last in, first out: a second process starts only when two images come at once.
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        for worker in reversed(self._workers):
            self._idle.put(worker)

    @property
    def available(self) -> bool:
        """Whether a refinement can be expected to work on this machine."""
        return not self._reason

    @property
    def reason(self) -> str:
        """Why the CRF is not available, as a sentence for the page; empty where it is."""
        return self._reason or ""

    def refine(
        self, image: ArrayLike, probabilities: ArrayLike, parameters: crf.CrfParameters
    ) -> NDArray[np.float32]:
        """What `backend.maps.crf.refine` gives, worked out in another process.

        image uint8 (H,W,3), probabilities (K+1,H,W) -> float32 (K+1,H,W). Raises ValueError for
        arrays that do not fit, and RefinementError where pydensecrf is missing, the worker died or
        ran out of time, or the pool is closed; the next call then gets a new worker.
        """
        photograph, unary = crf.check(image, probabilities)
        for _ in range(self._retries):
            with contextlib.suppress(WorkerDied):
                return self._refine(photograph, unary, parameters)
        return self._refine(photograph, unary, parameters)

    def _refine(
        self,
        photograph: NDArray[np.uint8],
        unary: NDArray[np.float32],
        parameters: crf.CrfParameters,
    ) -> NDArray[np.float32]:
        if self._closed:
            raise RefinementError(_SHUT_DOWN)
        if self._reason:
            raise RefinementError(self._reason)
        try:
            worker = self._idle.get(timeout=self._timeout)
        except queue.Empty:
            raise RefinementError(
                f"The dense CRF is busy: no worker became free in {self._timeout:g} s. Try again."
            ) from None
        try:
            if self._closed:
                raise RefinementError(_SHUT_DOWN)
            answer, body = worker.ask(
                {"parameters": asdict(parameters), "shape": unary.shape},
                (photograph, unary),
                self._timeout,
            )
        except RefinementError as error:
            if self._closed:
                raise RefinementError(_SHUT_DOWN) from None
            raise error from None
        finally:
            if self._closed:
                worker.stop()
            self._idle.put(worker)
        if "error" in answer:
            if answer.get("unavailable"):
                self._reason = str(answer["error"])
            raise RefinementError(str(answer["error"]))
        return np.frombuffer(body, dtype=np.float32).reshape(unary.shape).copy()

    def close(self) -> None:
        """Stop the workers; whoever still waits for one gets a RefinementError."""
        self._closed = True
        for worker in self._workers:
            worker.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Worker:
    """One worker process, started on demand and started anew after it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def ask(
        self, question: dict[str, Any], arrays: tuple[np.ndarray, ...], timeout: float
    ) -> tuple[dict[str, Any], bytes]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        out_of_time = threading.Event()

        def end() -> None:
            out_of_time.set()
            process.kill()

        timer = threading.Timer(timeout, end)
        timer.daemon = True
        timer.start()
        answer = None
        try:
            _send(process.stdin, question, *arrays)
            answer = _receive(process.stdout)
        except (OSError, ValueError):
            # Broken or closed pipes and half an answer all mean that the worker has gone.
            answer = None
        finally:
            timer.cancel()
            if answer is None or out_of_time.is_set():
                self.stop()
        if answer is not None:
            return answer
        if out_of_time.is_set():
            raise RefinementError(
                f"The dense CRF took longer than {timeout:g} s and was stopped; "
                "use fewer iterations or a smaller image."
            )
        raise WorkerDied(
            "The dense CRF's process died while it worked on this image "
            f"(exit status {process.returncode}); try again, or use a smaller image."
        )

    def stop(self) -> None:
        with self._starting:
            process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                # What was not yet flushed to a dead worker is of no use to anyone.
                with contextlib.suppress(OSError):
                    pipe.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.stop()
        with self._starting:
            if self._process is None:
                path = [str(PROJECT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "backend.refinement"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
                    # Ctrl-C in the terminal is the program's to handle; the worker ends with it.
                    start_new_session=True,
                )
            return self._process


def _send(pipe: IO[bytes], header: dict[str, Any], *arrays: np.ndarray) -> None:
    """Write one message: the header as JSON, then the arrays' bytes, each part with its length."""
    bodies = [np.ascontiguousarray(array).data.cast("B") for array in arrays]
    text = json.dumps(header, default=float).encode()
    pipe.write(_LENGTH.pack(len(text)) + text)
    pipe.write(_LENGTH.pack(sum(body.nbytes for body in bodies)))
    for body in bodies:
        pipe.write(body)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Read one message, or None where the other end has gone."""
    parts = []
    for _ in range(2):
        length = pipe.read(_LENGTH.size)
        if len(length) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack(length)
        part = pipe.read(size)
        if len(part) < size:
            return None
        parts.append(part)
    return json.loads(parts[0]), parts[1]


def _answer(question: dict[str, Any], body: bytes) -> tuple[dict[str, Any], tuple[np.ndarray, ...]]:
    labels, height, width = question["shape"]
    pixels = height * width * 3
    image = np.frombuffer(body, dtype=np.uint8, count=pixels).reshape(height, width, 3)
    unary = np.frombuffer(body, dtype=np.float32, offset=pixels).reshape(labels, height, width)
    try:
        refined = crf.refine(image, unary, crf.CrfParameters(**question["parameters"]))
    except crf.CrfUnavailable as error:
        return {"error": str(error), "unavailable": True}, ()
    except Exception as error:
        # Whatever it is, the program that asked is told and this process goes on.
        return {"error": f"The dense CRF failed on this image: {error}"}, ()
    return {}, (refined,)


def serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer questions until the program that asks them ends."""
    while (question := _receive(questions)) is not None:
        header, arrays = _answer(*question)
        _send(answers, header, *arrays)


def main() -> None:
    """Serve on this process's own pipes; whatever a library prints goes to stderr."""
    with (
        io.FileIO(os.dup(sys.stdin.fileno()), "rb") as raw_questions,
        io.FileIO(os.dup(sys.stdout.fileno()), "wb") as raw_answers,
    ):
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        # The program that asked is gone: there is no one left to answer.
        with contextlib.suppress(BrokenPipeError):
            serve(io.BufferedReader(raw_questions), io.BufferedWriter(raw_answers))


if __name__ == "__main__":
    main()
