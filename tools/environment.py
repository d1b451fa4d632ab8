"""Makes .venv with what Tagmask needs, and says plainly which system package is missing.

    python3 tools/environment.py user|developer

Standard library only: it runs before anything is installed. What was installed is remembered as
the digest of the requirement files, so that a second call returns at once.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LISTS = {"user": "requirements.txt", "developer": "requirements-dev.txt"}
CRF_LINE = "./third_party/pydensecrf"
# Without a GPU driver the exact release comes first: where a CPU build of it is at hand (a wheel
# folder in PIP_FIND_LINKS, say), pip takes that build, and the range in requirements.txt keeps it.
CPU_TORCH = "torch==2.13.0"
FAILED = "crf-failed"
DID_NOT_COMPILE = f"it did not compile here (delete .venv/{FAILED} to try once more)"


def main() -> int:
    wanted = sys.argv[1] if len(sys.argv) > 1 else "user"
    if wanted not in LISTS:
        return say(f"'{wanted}' is not one of: {', '.join(LISTS)}.")
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        version = ".".join(map(str, sys.version_info[:2]))
        return say(
            f"Tagmask needs Python 3.11, 3.12 or 3.13, and this is {version}. "
            "Name another with: make run PYTHON=python3.12"
        )
    compiler_missing = missing_for_crf()
    stamp = VENV / f"{wanted}.stamp"
    digest = requirements_digest(wanted, compiler_missing)
    if not (stamp.is_file() and stamp.read_text() == digest and PYTHON.exists()):
        problem = install(wanted, compiler_missing)
        if problem:
            return say(problem)
        if not compiler_missing and not installed("pydensecrf"):
            compiler_missing = DID_NOT_COMPILE
            (VENV / FAILED).write_text(crf_attempt())
        # What a developer needs contains what a user needs.
        for name in ("user", wanted):
            (VENV / f"{name}.stamp").write_text(requirements_digest(name, compiler_missing))
    if compiler_missing:
        say(
            f"the dense CRF (pydensecrf) is left out, because {compiler_missing}. Everything else "
            "works. It needs g++ and python3-dev; with both there, run this again."
        )
        return 1 if os.environ.get("TAGMASK_CRF_REQUIRED") == "1" else 0
    return 0


def install(wanted: str, compiler_missing: str) -> str:
    """Fills .venv; returns '' or a sentence on what is missing."""
    if not PYTHON.exists():
        if importlib.util.find_spec("ensurepip") is None:
            return (
                "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"
            )
        print("Making the environment in .venv (a few minutes, once) ...", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False)
        if made.returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            return (
                "Making .venv failed; the message is above. Perhaps: apt-get install python3-venv"
            )
    if shutil.which("nvidia-smi") is None and not installed("torch"):
        pip("install", CPU_TORCH)
    for with_crf in (True, False) if not compiler_missing else (False,):
        if pip_install_list(requirement_lines(wanted, with_crf=with_crf)) == 0:
            break
        if with_crf:
            say("that did not work; trying once more without the dense CRF (pydensecrf).")
    else:
        return "pip could not install the requirements; its message is above."
    return missing_library()


def requirement_lines(wanted: str, *, with_crf: bool) -> list[str]:
    lines: list[str] = []
    for line in (ROOT / LISTS[wanted]).read_text().splitlines():
        if line.startswith("-r "):
            lines += requirement_lines("user", with_crf=with_crf)
        elif with_crf or line.strip() != CRF_LINE:
            lines.append(line)
    return lines


def requirements_digest(wanted: str, compiler_missing: str) -> str:
    text = "\n".join(requirement_lines(wanted, with_crf=not compiler_missing))
    for file in sorted((ROOT / CRF_LINE).glob("*.*")):
        text += file.read_text()
    return hashlib.sha256(text.encode()).hexdigest()


def missing_for_crf() -> str:
    """'' when pydensecrf can be compiled or is there already, else why not."""
    if installed("pydensecrf"):
        return ""
    if not shutil.which(os.environ.get("CXX", "g++")):
        return "no C++ compiler was found (package g++)"
    if (VENV / FAILED).is_file() and (VENV / FAILED).read_text() == crf_attempt():
        return DID_NOT_COMPILE
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        return "Python's headers were not found (package python3-dev)"
    return ""


def crf_attempt() -> str:
    """What decides whether pydensecrf compiles; while it stays the same, trying again is idle."""
    compiler = shutil.which(os.environ.get("CXX", "g++")) or ""
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    recipe = "".join(file.read_text() for file in sorted((ROOT / CRF_LINE).glob("*.*")))
    return hashlib.sha256(f"{version.stdout}{sys.version}{recipe}".encode()).hexdigest()


def missing_library() -> str:
    """'' when OpenCV can be imported, else which system library it wants."""
    probe = subprocess.run(
        [str(PYTHON), "-c", "import cv2"], check=False, capture_output=True, text=True
    )
    if probe.returncode == 0:
        return ""
    return (
        f"OpenCV cannot start: {probe.stderr.strip().splitlines()[-1]}. "
        "On Debian or Ubuntu: apt-get install libgl1 libglib2.0-0"
    )


def installed(package: str) -> bool:
    return any(VENV.glob(f"lib/python3*/site-packages/{package}"))


def pip_install_list(lines: list[str]) -> int:
    # The list lies in the root, because pip reads relative paths from where the file lies.
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=ROOT, prefix=".requirements-") as file:
        file.write("\n".join(lines))
        file.flush()
        return pip("install", "-r", file.name)


def pip(*words: str) -> int:
    quiet = ["--quiet", "--disable-pip-version-check"]
    command = [str(PYTHON), "-m", "pip", *words, *quiet]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def say(sentence: str) -> int:
    print(f"tagmask: {sentence}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
