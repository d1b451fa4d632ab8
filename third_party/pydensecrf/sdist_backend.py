"""A build backend that makes a wheel of pydensecrf 1.0rc3, whose own sdist no longer builds.

Its setup.py cythonizes with an implicit relative `import eigen`, which Cython 3 refuses, and ships
C++ generated for a Python long gone. So: fetch the published sdist (pinned by hash), drop the
stale C++, make the imports absolute, and let setuptools and Cython 3 build the rest.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PINNED = (
    "pydensecrf==1.0rc3 "
    "--hash=sha256:08be1603af2bede05c7697b6018e8e3059de7cc181e4e784b334889dcc749aa5\n"
)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with tempfile.TemporaryDirectory() as scratch:
        source = _patched(_fetch(Path(scratch)))
        command = [sys.executable, "setup.py", "-q", "bdist_wheel", "--dist-dir", wheel_directory]
        environment = os.environ | {"CFLAGS": os.environ.get("CFLAGS", "") + " -O3 -w"}
        subprocess.run(command, cwd=source, check=True, env=environment)
    return next(Path(wheel_directory).glob("pydensecrf-*.whl")).name


def build_sdist(sdist_directory, config_settings=None):
    with tempfile.TemporaryDirectory() as scratch:
        return shutil.copy(_fetch(Path(scratch)), sdist_directory)


def _fetch(scratch: Path) -> Path:
    # pip runs setup.py to read the metadata of what it downloads; with Cython out of sight that
    # takes the branch that compiles nothing. pip's own hook variables would confuse the inner pip.
    (scratch / "hide" / "Cython").mkdir(parents=True)
    (scratch / "hide" / "Cython" / "__init__.py").write_text("raise ImportError('hidden')\n")
    (scratch / "pinned.txt").write_text(PINNED)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("_PYPROJECT_HOOKS_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(scratch / "hide"), *filter(None, sys.path)])
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", ":all:", "--no-build-isolation", "--require-hashes"]
    command += ["--dest", str(scratch), "-r", str(scratch / "pinned.txt")]
    subprocess.run(command, check=True, env=environment)
    return next(scratch.glob("*.tar.gz"))


def _patched(archive: Path) -> Path:
    # Python 3.11.2, Debian 12's, has no filters yet; what is unpacked is pinned by its hash.
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as tar:
        tar.extractall(archive.parent, **safely)
    source = archive.parent / "pydensecrf-1.0rc3"
    for stale in ("eigen.cpp", "densecrf.cpp"):
        (source / "pydensecrf" / stale).unlink()
    _replace(source / "setup.py", "    setup_requires=['cython>=0.22'],\n", "")
    code = source / "pydensecrf"
    absolute = "from pydensecrf cimport eigen\n"
    _replace(code / "densecrf.pyx", "import eigen\ncimport eigen\n", absolute)
    _replace(code / "densecrf.pxd", "from eigen cimport *", "from pydensecrf.eigen cimport *")
    return source


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    if old not in text:
        raise SystemExit(f"{path.name} of pydensecrf 1.0rc3 no longer holds {old!r}")
    path.write_text(text.replace(old, new), encoding="utf-8")
