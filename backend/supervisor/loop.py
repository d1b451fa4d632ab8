"""The supervisor's work: claim, start, take in, cancel, settle, again and again."""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event as Signal
from typing import TYPE_CHECKING

from backend.errors import JobError, TagmaskError
from backend.launchers import Ended, Launcher, Process
from backend.supervisor.orders import as_typed, trainer_arguments
from backend.supervisor.outcome import Outcome, judge
from backend.supervisor.products import register, take_products_in, within
from backend.supervisor.watch import ATTEMPT, EVENTS, STOPPING, Watch, begun

if TYPE_CHECKING:
    from backend.store import Job
    from backend.workspace import Workspace

log = logging.getLogger("tagmask.supervisor")

BEAT = 10.0


class Supervisor:
    """Runs the jobs of one workspace; everything it must remember is in the store.

    `slots`: how many jobs at once; `grace`: seconds a run has to save and end when it is
    cancelled; `clock` counts seconds and never goes back.
    """

    def __init__(
        self,
        workspace: "Workspace",
        launcher: Launcher,
        *,
        slots: int = 1,
        grace: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workspace = workspace
        self.store = workspace.store
        self.launcher = launcher
        self.slots = slots
        self.grace = grace
        self.clock = clock
        self.host = socket.gethostname()
        self.name = f"{self.host}:{os.getpid()}:{time.time_ns()}"
        self.watches: dict[int, Watch] = {}
        self._intake = ThreadPoolExecutor(1, thread_name_prefix="intake")
        self._beat_at = float("-inf")
        self._adopted = False
        self._troubles: dict[str, str] = {}

    def run(
        self,
        stop: Signal,
        *,
        pause: float = 0.5,
        idle_exit: float = 900.0,
        still_ours: Callable[[], bool] = lambda: True,
    ) -> None:
        """Works until told to stop, or idle for `idle_exit` seconds (0: for ever), or until the
        workspace is not `still_ours`. Runs that are alive then go on; the next one adopts them.
        """
        idle_since = self.clock()
        while not stop.is_set() and still_ours():
            if self.tick():
                idle_since = self.clock()
            elif 0 < idle_exit < self.clock() - idle_since:
                log.info("nothing to do for %.0f s", idle_exit)
                return
            stop.wait(pause)

    def close(self) -> None:
        """Lets go; what an unfinished intake left out, the next supervisor takes in."""
        self._intake.shutdown(wait=False, cancel_futures=True)

    def tick(self) -> bool:
        """One round; True if a job is at work or could not be looked after for now.

        Raises nothing that a later round could mend: a locked database or a full disk is logged
        once and tried again.
        """
        if not self._adopted and not self._try("adoption", self._adopt):
            return True
        self._adopted = True
        well = True
        if self.clock() - self._beat_at >= BEAT:
            well = self._try("heartbeat", self._beat)
        for watch in list(self.watches.values()):
            self._try(f"job {watch.job.id}", partial(self._attend, watch))
        while well and len(self.watches) < self.slots:
            before = len(self.watches)
            if not self._try("queue", self._claim):
                # Whatever was claimed and not begun is found again among what was left behind.
                self._adopted = False
                break
            if len(self.watches) == before:
                break
        return bool(self.watches) or not well

    def _try(self, name: str, action: Callable[[], None]) -> bool:
        try:
            action()
        except (TagmaskError, OSError) as error:
            if self._troubles.get(name) != str(error):
                log.warning("%s: %s", name, error)
            self._troubles[name] = str(error)
            return False
        except Exception as error:
            if self._troubles.get(name) != repr(error):
                log.exception("%s: a mistake in the supervisor; it goes on", name)
            self._troubles[name] = repr(error)
            return False
        self._troubles.pop(name, None)
        return True

    def _beat(self) -> None:
        self.store.jobs.beat(self.name, self.host, os.getpid())
        for watch in self.watches.values():
            seen = watch.heartbeat()
            if seen is not None and watch.ended is None:
                self.store.jobs.update(watch.job.id, heartbeat_at=seen)
        self._beat_at = self.clock()

    def _adopt(self) -> None:
        """Takes over what an earlier supervisor of this workspace left behind."""
        for job in self.store.jobs.active():
            if job.id in self.watches:
                continue
            folder = self.workspace.root / job.run_folder if job.run_folder else None
            process = Process(job.pid, job.process_started or 0.0) if job.pid else None
            if process is None and folder is not None:
                # Killed between starting a trainer and noting its pid.
                process = self.launcher.find(folder)
            if process is None or folder is None:
                self._never_started(job)
                continue
            watch = begun(self.store, job, folder, process)
            if watch.stop_asked_at is not None:
                # The earlier clock is gone: the whole grace period begins again.
                watch.stop_asked_at = self.clock()
            if not watch.noted:
                with contextlib.suppress(JobError):
                    watch.command = as_typed(self.launcher.command(self._arguments(job, folder)))
            self.watches[job.id] = watch
            log.info("job %s adopted, process %s", job.id, process.pid)

    def _never_started(self, job: "Job") -> None:
        if job.state == "stopping":
            self.store.jobs.update(job.id, state="cancelled")
            return
        self.store.jobs.update(job.id, state="lost", error="Its supervisor died before it began.")
        self.store.jobs.resume(job.id)

    def _claim(self) -> None:
        job = self.store.jobs.claim(self.name)
        if job is None:
            return
        folder = self._folder(job)
        watch = begun(self.store, job, folder, None)
        self.watches[job.id] = watch
        if watch.word is not None:
            # Finished before, but not taken in: the trainer has nothing left to do.
            watch.outcome = Outcome("done", None)
            self._attend(watch)
            return
        try:
            arguments = self._arguments(job, folder)
            watch.command = as_typed(self.launcher.command(arguments))
            watch.process = self.launcher.start(arguments, folder)
            log.info("job %s started, process %s", job.id, watch.process.pid)
        except JobError as error:
            watch.outcome = Outcome("failed", str(error))
        self._attend(watch)

    def _folder(self, job: "Job") -> Path:
        """The job's run folder; chosen, and noted, at its first start."""
        if job.run_folder:
            return self.workspace.root / job.run_folder
        number, folder = 1, self.workspace.runs / f"{job.id:05d}-{job.recipe}"
        # A database restored from a backup may count to a number whose folder is there.
        while folder.exists():
            number += 1
            folder = self.workspace.runs / f"{job.id:05d}-{job.recipe}-{number}"
        self.store.jobs.update(job.id, run_folder=within(self.workspace.root, folder))
        return folder

    def _arguments(self, job: "Job", folder: Path) -> list[str]:
        """What follows `python -m training`; JobError where the job's snapshot is gone."""
        manifest = None
        if job.snapshot is not None:
            manifest = self.workspace.snapshots / job.snapshot / "manifest.json"
            if not manifest.is_file():
                raise JobError(
                    f"The snapshot {job.snapshot[:12]} has no manifest at {manifest}. Freeze the "
                    "set again and train on that, or restore the folder from a backup."
                )
        resume = any((folder / name).exists() for name in ("config.json", EVENTS))
        return trainer_arguments(
            job.recipe, job.arguments, folder, manifest=manifest, resume=resume
        )

    def _attend(self, watch: Watch) -> None:
        """Brings one job up to date with its process, and to its end once that is gone."""
        job = watch.job = self.store.jobs.get(watch.job.id)
        if not watch.noted:
            self._note(watch)
        if watch.outcome is None and watch.process is not None:
            if watch.ended is None:
                watch.ended = self.launcher.ended(watch.process)
            # Read after looking whether it lives, so that a dead one's last word is in.
            while watch.take_in(self.store) and watch.ended is not None:
                pass
            if watch.ended is None:
                if job.state == "stopping":
                    self._stop(watch, watch.process)
                return
        self._settle(watch)

    def _note(self, watch: Watch) -> None:
        """Tells the store of the process; repeated until it could."""
        process = watch.process
        if process is not None:
            self.store.jobs.update(watch.job.id, pid=process.pid, process_started=process.started)
            watch.say(
                self.store, ATTEMPT, time.time(), number=watch.job.attempts, command=watch.command
            )
            register(self.workspace, watch.job, watch.folder)
        watch.noted = True

    def _stop(self, watch: Watch, process: Process) -> None:
        if watch.stop_asked_at is None:
            # Said before it is done: a second request would make the trainer end without saving.
            watch.say(self.store, STOPPING, time.time(), text="Asked to save and stop.")
            self.launcher.ask_to_stop(process)
            watch.stop_asked_at = self.clock()
            log.info("job %s asked to stop", watch.job.id)
        elif not watch.killed and self.clock() - watch.stop_asked_at > self.grace:
            self.launcher.kill(process)
            watch.killed = True
            log.info("job %s did not stop in %.0f s and was ended", watch.job.id, self.grace)

    def _settle(self, watch: Watch) -> None:
        """Gives the job its final state, once what a finished run made is taken in."""
        outcome = watch.outcome or self._judged(watch)
        if outcome.state == "done" and watch.word is not None:
            if watch.products is None:
                job, folder, word = watch.job, watch.folder, watch.word
                watch.products = self._intake.submit(
                    take_products_in, self.workspace, job, folder, word
                )
            if not watch.products.done():
                return
            error = watch.products.exception()
            if error is not None:
                log.error("job %s: what it made was not taken in", watch.job.id, exc_info=error)
                said = str(error) if isinstance(error, TagmaskError) else repr(error)
                outcome = Outcome("failed", f"The run is complete, but not taken in: {said}")
            else:
                for text in watch.products.result():
                    watch.say(self.store, "message", time.time(), text=text)
        self.store.jobs.update(
            watch.job.id,
            state=outcome.state,
            error=outcome.error,
            exit_code=watch.ended.code if watch.ended else None,
        )
        del self.watches[watch.job.id]
        log.info("job %s is %s %s", watch.job.id, outcome.state, outcome.error or "")

    def _judged(self, watch: Watch) -> Outcome:
        watch.outcome = judge(
            watch.word,
            watch.ended or Ended(None),
            stop_asked=watch.job.cancel_requested_at is not None,
            killed=watch.killed,
            run=watch.folder,
        )
        return watch.outcome
