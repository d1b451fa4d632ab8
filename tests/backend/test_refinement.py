"""The CRF's worker processes: same answers, bounded time, and a pool that heals."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from backend import refinement
from backend.errors import RefinementError
from backend.maps import crf
from backend.maps.crf import PRESETS, CrfParameters
from backend.refinement import CrfPool

installed = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
ROOT = Path(refinement.__file__).resolve().parents[1]
# Long enough on any machine to be killed, timed out or closed in the middle.
ENDLESS = CrfParameters(iterations=2_000_000)


@pytest.fixture
def pool():
    with CrfPool() as pool:
        yield pool


def _toy(seed=0, tags=2, height=20, width=30):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image, rng.random((tags + 1, height, width), dtype=np.float32)


def _workers():
    """This process's CRF workers, by their command line."""
    return [
        child
        for child in psutil.Process().children()
        if child.status() != psutil.STATUS_ZOMBIE and "backend.refinement" in child.cmdline()
    ]


def _until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@installed
def test_a_worker_gives_what_the_function_gives(pool):
    image, probabilities = _toy()
    expected = crf.refine(image, probabilities, PRESETS["dcsp"])
    refined = pool.refine(image, probabilities, PRESETS["dcsp"])
    np.testing.assert_array_equal(refined, expected)
    assert refined.dtype == np.float32
    assert refined.flags.writeable


@installed
def test_many_threads_share_the_pool_and_each_gets_its_own_answer():
    cases = [_toy(seed, tags=1 + seed % 3, height=10 + seed) for seed in range(8)]
    with CrfPool(processes=2) as pool, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda case: pool.refine(*case, PRESETS["deeplab"]), cases))
        assert len(_workers()) <= 2
    for case, answer in zip(cases, answers, strict=True):
        np.testing.assert_array_equal(answer, crf.refine(*case, PRESETS["deeplab"]))


@installed
def test_one_image_after_another_needs_one_process():
    with CrfPool(processes=3) as pool:
        pool.refine(*_toy(), PRESETS["dcsp"])
        first = [worker.pid for worker in _workers()]
        pool.refine(*_toy(), PRESETS["dcsp"])
        assert [worker.pid for worker in _workers()] == first
        assert len(first) == 1


def test_nothing_starts_before_it_is_needed(pool):
    assert not _workers()
    assert pool.available == (crf.missing() is None)


@installed
def test_a_worker_imports_neither_torch_nor_the_page(pool):
    pool.refine(*_toy(), PRESETS["dcsp"])
    (worker,) = _workers()
    libraries = {Path(entry.path).name for entry in worker.memory_maps()}
    assert any("densecrf" in name for name in libraries)
    assert not any("torch" in name for name in libraries)


@installed
def test_a_worker_starts_wherever_the_program_was_started_and_hears_no_ctrl_c(
    pool, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert pool.refine(*_toy(), PRESETS["dcsp"]).shape == (3, 20, 30)
    (worker,) = _workers()
    assert os.getsid(worker.pid) == worker.pid


@installed
def test_a_worker_that_dies_at_work_is_an_error_and_the_next_call_succeeds(pool):
    with ThreadPoolExecutor(1) as threads:
        doomed = threads.submit(pool.refine, *_toy(), ENDLESS)
        _until(_workers)
        os.kill(_workers()[0].pid, signal.SIGKILL)
        with pytest.raises(RefinementError, match="died while it worked on this image"):
            doomed.result(timeout=30)
    assert pool.refine(*_toy(), PRESETS["dcsp"]).shape == (3, 20, 30)


DIES = (
    "import os, signal, pathlib, numpy as np\n"
    "class DenseCRF2D:\n"
    "    def __init__(self, width, height, labels): self.shape = labels, width * height\n"
    "    def setUnaryEnergy(self, energy): pass\n"
    "    def addPairwiseGaussian(self, **_): pass\n"
    "    def addPairwiseBilateral(self, **_): pass\n"
    "    def inference(self, steps):\n"
    "        with open(os.environ['DEATHS'], 'a') as file: file.write('x')\n"
    "        if os.path.getsize(os.environ['DEATHS']) <= steps:\n"
    "            os.kill(os.getpid(), signal.SIGKILL)\n"
    "        return np.full(self.shape, 0.5)\n"
)


@pytest.mark.parametrize(("deaths", "said"), [(1, "0.5"), (2, "died while it worked on this")])
def test_an_image_is_given_to_a_new_worker_as_often_as_was_asked(tmp_path, deaths, said):
    """The iterations say how many workers an image kills before one survives it."""
    package = tmp_path / "pydensecrf"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "densecrf.py").write_text(DIES)
    code = (
        "import dataclasses, numpy as np\n"
        "from backend.errors import RefinementError\n"
        "from backend.maps.crf import PRESETS\n"
        "from backend.refinement import CrfPool\n"
        "toy = np.zeros((4, 4, 3), np.uint8), np.ones((2, 4, 4))\n"
        f"deadly = dataclasses.replace(PRESETS['dcsp'], iterations={deaths})\n"
        "with CrfPool(retries=1) as pool:\n"
        "    try:\n"
        "        print(pool.refine(*toy, deadly).mean())\n"
        "    except RefinementError as error:\n"
        "        print(error)\n"
        "    print(pool.refine(*toy, PRESETS['dcsp'].__class__(iterations=0)).mean())\n"
    )
    done = _python(code, PYTHONPATH=str(tmp_path), DEATHS=str(tmp_path / "deaths"))
    first, last = done.stdout.splitlines()
    assert said in first, done.stderr
    assert last == "0.5"


@installed
def test_a_worker_that_died_idle_is_replaced_without_anyone_noticing(pool):
    pool.refine(*_toy(), PRESETS["dcsp"])
    (worker,) = _workers()
    os.kill(worker.pid, signal.SIGKILL)
    # A dying process looks dead some time before its parent can wait for it. Nothing is reaped.
    seen = os.WEXITED | os.WNOHANG | os.WNOWAIT
    _until(lambda: os.waitid(os.P_PID, worker.pid, seen) is not None)
    assert pool.refine(*_toy(), PRESETS["dcsp"]).shape == (3, 20, 30)
    assert _workers()[0].pid != worker.pid


@installed
def test_work_that_takes_too_long_is_stopped_and_the_pool_goes_on():
    with CrfPool(timeout=3.0) as pool:
        with pytest.raises(RefinementError, match="took longer than 3 s"):
            pool.refine(*_toy(), ENDLESS)
        assert not _workers()
        # A busy machine may take longer than that to start the next one.
        pool._timeout = 60.0
        assert pool.refine(*_toy(), PRESETS["dcsp"]).shape == (3, 20, 30)


@installed
def test_waiting_for_a_free_worker_is_bounded_too():
    pool = CrfPool(timeout=60.0)
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(pool.refine, *_toy(), ENDLESS)
        _until(_workers)
        pool._timeout = 0.2
        with pytest.raises(RefinementError, match="busy"):
            pool.refine(*_toy(), PRESETS["dcsp"])
        pool.close()
        with pytest.raises(RefinementError, match="shut down"):
            busy.result(timeout=30)


@installed
def test_closing_stops_the_workers_and_refuses_further_work(pool):
    pool.refine(*_toy(), PRESETS["dcsp"])
    pool.close()
    assert not _workers()
    with pytest.raises(RefinementError, match="shut down"):
        pool.refine(*_toy(), PRESETS["dcsp"])
    pool.close()


@installed
def test_closing_while_images_wait_leaves_no_worker_behind():
    pool = CrfPool()
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(pool.refine, *_toy(), ENDLESS) for _ in range(4)]
        _until(_workers)
        pool.close()
        for one in waiting:
            with pytest.raises(RefinementError, match="shut down"):
                one.result(timeout=30)
    assert not _workers()


def test_arrays_that_do_not_fit_are_refused_without_a_worker(pool):
    image, probabilities = _toy()
    with pytest.raises(ValueError, match="softmax, not the logits"):
        pool.refine(image, probabilities - 1, PRESETS["dcsp"])
    with pytest.raises(ValueError, match="image must be an 8-bit colour image"):
        pool.refine(image[:, :, 0], probabilities, PRESETS["dcsp"])
    assert not _workers()


@installed
def test_the_background_alone_comes_back_as_ones(pool):
    assert (pool.refine(*_toy(tags=0), PRESETS["dcsp"]) == 1).all()


def _python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


USE = (
    "import sys, numpy as np\n"
    "from backend.errors import RefinementError\n"
    "from backend.maps.crf import PRESETS\n"
    "from backend.refinement import CrfPool\n"
    "pool = CrfPool()\n"
    "print(pool.available, 'pydensecrf' in sys.modules, pool.reason)\n"
    "try:\n"
    "    pool.refine(np.zeros((4, 4, 3), np.uint8), np.ones((2, 4, 4)), PRESETS['dcsp'])\n"
    "except RefinementError as error:\n"
    "    print('refused:', error)\n"
    "print(pool.available, pool.reason)\n"
    "pool.close()\n"
)


def test_where_pydensecrf_is_missing_the_pool_says_so_and_starts_nothing():
    blocked = "import sys; sys.modules['pydensecrf'] = None\n"
    done = _python(blocked + USE)
    assert done.returncode == 0, done.stderr
    first, refused, last = done.stdout.splitlines()
    assert first.startswith("False")
    assert "g++ and python3-dev" in first
    assert refused.startswith("refused: The dense CRF is not installed")
    assert last.startswith("False")


def test_where_pydensecrf_does_not_load_the_pool_learns_it_from_its_worker(tmp_path):
    package = tmp_path / "pydensecrf"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "densecrf.py").write_text("raise ImportError('libcrf.so is missing')")
    done = _python(USE, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, refused, last = done.stdout.splitlines()
    assert first == "True False "
    assert "does not load (libcrf.so is missing)" in refused
    assert last.startswith("False pydensecrf is installed but does not load")


def test_a_folder_of_that_name_without_the_extension_is_not_the_crf(tmp_path):
    (tmp_path / "pydensecrf").mkdir()
    (tmp_path / "pydensecrf" / "__init__.py").write_text("")
    done = _python(USE, PYTHONPATH=str(tmp_path))
    assert done.stdout.startswith("False False The dense CRF is not installed"), done.stderr


@installed
def test_workers_end_with_the_program_even_when_it_is_killed():
    code = (
        "import os, signal, threading, time, numpy as np\n"
        "from backend.maps.crf import PRESETS\n"
        "from backend.refinement import CrfPool\n"
        "pool = CrfPool()\n"
        "pool.refine(np.zeros((4, 4, 3), np.uint8), np.ones((2, 4, 4)), PRESETS['dcsp'])\n"
        "print(pool._workers[0].pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = _python(code)
    pid = int(done.stdout)
    _until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")


@installed
def test_what_a_library_prints_does_not_reach_the_answers(tmp_path):
    package = tmp_path / "pydensecrf"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "densecrf.py").write_text(
        "import numpy as np\n"
        "class DenseCRF2D:\n"
        "    def __init__(self, width, height, labels): self.shape = labels, width * height\n"
        "    def setUnaryEnergy(self, energy): print('noise', flush=True)\n"
        "    def addPairwiseGaussian(self, **_): pass\n"
        "    def addPairwiseBilateral(self, **_): pass\n"
        "    def inference(self, steps):\n"
        "        if steps == 7: raise MemoryError('no room')\n"
        "        return np.full(self.shape, 0.5)\n"
    )
    code = (
        "import dataclasses, numpy as np\n"
        "from backend.errors import RefinementError\n"
        "from backend.maps.crf import PRESETS\n"
        "from backend.refinement import CrfPool\n"
        "toy = np.zeros((4, 4, 3), np.uint8), np.ones((2, 4, 4))\n"
        "with CrfPool() as pool:\n"
        "    seven = dataclasses.replace(PRESETS['dcsp'], iterations=7)\n"
        "    try:\n"
        "        pool.refine(*toy, seven)\n"
        "    except RefinementError as error:\n"
        "        print(error)\n"
        "    print(pool.refine(*toy, PRESETS['dcsp']).mean(), pool.available)\n"
    )
    done = _python(code, PYTHONPATH=str(tmp_path))
    assert done.stdout.splitlines() == ["The dense CRF failed on this image: no room", "0.5 True"]
    assert "noise" in done.stderr


@pytest.mark.parametrize("arguments", [{"processes": 0}, {"timeout": 0}])
def test_a_pool_without_workers_or_time_is_refused(arguments):
    with pytest.raises(ValueError, match="at least one process and a timeout above 0"):
        CrfPool(**arguments)


@installed
def test_a_pool_used_from_a_thread_outlives_that_thread(pool):
    thread = threading.Thread(target=pool.refine, args=(*_toy(), PRESETS["dcsp"]))
    thread.start()
    thread.join()
    assert pool.refine(*_toy(), PRESETS["dcsp"]).shape == (3, 20, 30)
