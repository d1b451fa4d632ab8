"""What README.md and docs/stages.md say can be typed, clicked and found."""

import contextlib
import io
import re
import shlex
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import app
import backend.__main__
import training.cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = README + (ROOT / "docs" / "stages.md").read_text(encoding="utf-8")
MAINS: dict[str, Callable[[list[str]], int]] = {
    "python -m training": training.cli.main,
    "python -m backend": backend.__main__.main,
}
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
# Commands with commands of their own.
NESTED = {"users": ("add", "role", "password", "disable", "enable", "list")}
# Flags of other programs that the page names.
OTHERS = {"--find-links"}


def shown_commands() -> list[str]:
    """Lines of the sh blocks that run one of ours, without comments and optional brackets."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", PAGES, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            line = line.partition(" #")[0].strip()
            if line.startswith(tuple(MAINS)):
                found.append(re.sub(r"[\[\]]", "", line))
    return found


@cache
def helped(main: str, *words: str) -> str:
    """What --help prints; a command that is not there fails."""
    said = io.StringIO()
    run = app.main if main == "python app.py" else MAINS[main]
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        run([*words, "--help"])
    assert ended.value.code == 0, f"{main} {' '.join(words)} is no command"
    return said.getvalue()


def test_there_are_commands_to_check() -> None:
    assert len(shown_commands()) > 10
    assert {line.split()[2] for line in shown_commands()} == {"training", "backend"}


@pytest.mark.parametrize("line", shown_commands())
def test_every_command_exists_with_the_flags_that_are_shown(line: str) -> None:
    main = next(each for each in MAINS if line.startswith(each))
    words = shlex.split(line.removeprefix(main))
    if words[0] == "check":
        # It takes what the recipe after it takes.
        words = words[1:]
    # `users add` has flags of its own.
    text = helped(main, *words[: 2 if words[0] in NESTED else 1])
    flags = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert flags <= set(FLAG.findall(text)), f"unknown in `{line}`"
    for flag, value in pairwise(words):
        offered = re.search(rf"{flag} {{([\w,]+)}}", text) if flag.startswith("--") else None
        if offered:
            assert value in offered[1].split(","), f"{flag} takes {offered[1]}, not {value}"


def test_every_flag_that_the_text_names_exists() -> None:
    known = set(OTHERS)
    for main, words in (
        ("python app.py", ()),
        *(("python -m training", (name,)) for name in training.cli.recipe_names()),
        *(("python -m training", (name,)) for name in ("evaluate", "pipeline", "predict")),
        *(("python -m backend", (name,)) for name in backend.__main__.commands.names()),
        *(("python -m backend", (name, each)) for name, all_ in NESTED.items() for each in all_),
    ):
        known |= set(FLAG.findall(helped(main, *words)))
    named = {flag for code in re.findall(r"`([^`\n]+)`", PAGES) for flag in FLAG.findall(code)}
    assert named
    assert named - known == set()


def test_every_linked_file_exists() -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", README)
    local = [target.partition("#")[0] for target in targets if "://" not in target]
    assert any("screenshots" in target for target in local)
    assert [target for target in local if target and not (ROOT / target).exists()] == []


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    named: set[str] = set()
    for words in re.findall(r"(?:^|`)make ([a-z][a-z -]*)", README, re.MULTILINE):
        named |= set(words.split())
    assert {"run", "test"} <= named
    assert named <= targets


def test_the_screenshots_are_pictures() -> None:
    from backend.images import read_image

    shots = re.findall(r"!\[([^\]]+)\]\((docs/screenshots/[^)]+)\)", README)
    assert len(shots) >= 4
    for words, path in shots:
        assert len(words) > 20, f"{path} needs words for those who cannot see it"
        height, width = read_image(ROOT / path).shape[:2]
        assert width >= 1000
        assert height >= 600


def test_every_benchmark_has_its_section_and_is_run_by_flags_that_it_has() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in ROOT.glob("benchmarks/*.py")}
    assert set(re.findall(r"^## `(\w+)\.py`", page, re.MULTILINE)) == set(scripts)
    commands = re.findall(r"^python -m benchmarks\.(\w+)(.*)$", page, re.MULTILINE)
    assert {name for name, _ in commands} == set(scripts)
    for name, words in commands:
        known = set(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', scripts[name]))
        assert set(FLAG.findall(words)) <= known, f"benchmarks.{name} has {sorted(known)}"
