"""Which recipes the trainer offers and what each takes, asked of the trainer itself."""

import contextlib
import json
import math
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.errors import JobError
from backend.launchers import PROJECT, trainer_command

FORMAT = 1
_PATIENCE = 120.0
_RETRY = 10.0
_REMEMBERED = 200

Answer = subprocess.CompletedProcess[bytes]


@dataclass
class RecipeBook:
    """`python -m training describe`, run once and again only when the trainer's files changed.

    `cache` is a file that saves the next process the wait; anything wrong with it is ignored.
    """

    cache: Path | None = None
    trainer: Sequence[str] = field(default_factory=trainer_command)
    folder: Path = PROJECT
    _key: str = ""
    _recipes: dict[str, Any] = field(default_factory=dict)
    _trouble: str = ""
    _tried: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _answers: dict[tuple[str, ...], str] = field(default_factory=dict)
    _previewing: threading.Lock = field(default_factory=threading.Lock)

    def all(self) -> dict[str, Any]:
        """Recipe name -> what `describe` says of it. Raises JobError if the trainer is broken.

        Seconds the first time, microseconds later; a broken trainer is asked again when its
        files changed or ten seconds passed.
        """
        with self._lock:
            key = self._fingerprint()
            if key != self._key:
                self._key, self._recipes, self._trouble = key, self._cached(key), ""
                self._tried = float("-inf")
            if not self._recipes and time.monotonic() - self._tried > _RETRY:
                self._tried = time.monotonic()
                try:
                    self._recipes, self._trouble = self._ask(), ""
                except JobError as error:
                    self._trouble = str(error)
                else:
                    self._keep(key)
            if not self._recipes:
                raise JobError(self._trouble)
            return self._recipes

    def check(self, words: Sequence[str]) -> None:
        """Raises JobError, with the trainer's own sentence, for a command line that it would refuse
        before it looks at its data. Half a second the first time, nothing when asked again.
        """
        key = (self._fingerprint(), *words)
        if key not in self._answers:
            answer = self._run(["check", *words], "did not check this order")
            said = answer.stderr.decode(errors="replace").strip().splitlines()[-1:]
            sentence = said[0].removeprefix("tagmask: ") if said else "The trainer gave no reason."
            while len(self._answers) >= _REMEMBERED:
                # The oldest; another thread may have taken it already.
                self._answers.pop(next(iter(self._answers), ()), None)
            self._answers[key] = "" if answer.returncode == 0 else sentence
        if self._answers[key]:
            raise JobError(self._answers[key])

    def preview(self, words: Sequence[str]) -> dict[str, Any]:
        """What a run of this command line would learn from, as its --dry-run tells it; seconds.

        Raises JobError with the trainer's own words where it would refuse.
        """
        with self._previewing:
            answer = self._run([*words, "--dry-run"], "did not say what it would learn from")
        try:
            if answer.returncode != 0:
                raise ValueError(answer.returncode)
            told: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
        except (ValueError, IndexError):
            said = answer.stderr.decode(errors="replace").rpartition("tagmask: ")[2].strip()
            raise JobError(said or "The trainer gave no reason.") from None
        return told

    def _fingerprint(self) -> str:
        """Changes when a file of the trainer or of what it stands on does."""
        latest, count = 0, 0
        for package in ("training", "backend/networks", "backend/maps"):
            for folder, _, names in os.walk(self.folder / package):
                for name in names:
                    if name.endswith((".py", ".toml", ".json")):
                        count += 1
                        with contextlib.suppress(OSError):
                            latest = max(latest, (Path(folder) / name).stat().st_mtime_ns)
        return f"{latest}/{count}/{' '.join(self.trainer)}"

    def _run(self, words: Sequence[str], failed: str, advice: str = "") -> Answer:
        """What the trainer answers; JobError where it does not start or end."""
        try:
            return subprocess.run(
                [*self.trainer, *words],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise JobError(
                f"The trainer {failed} within {_PATIENCE:.0f} s. {advice}".rstrip()
            ) from None
        except (OSError, ValueError) as error:
            raise JobError(
                f"The trainer could not be started: {self.trainer[0]}: {error}. Check "
                "TAGMASK_TRAINER, or run `make` again."
            ) from None

    def _ask(self) -> dict[str, Any]:
        advice = "Run `python -m training describe` in a terminal to see all of it."
        answer = self._run(["describe"], "did not describe its recipes", advice)
        if answer.returncode != 0:
            last = answer.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason"]
            raise JobError(f"The trainer could not describe its recipes: {last[0]}. {advice}")
        try:
            return _checked(json.loads(answer.stdout))
        except (ValueError, TypeError, KeyError):
            raise JobError(
                "The trainer's description of its recipes cannot be read: `python -m training "
                f"describe` must print JSON of format {FORMAT}. {advice}"
            ) from None

    def _cached(self, key: str) -> dict[str, Any]:
        if self.cache is None:
            return {}
        try:
            kept = json.loads(self.cache.read_text(encoding="utf-8"))
            return _checked(kept["answer"]) if kept["key"] == key else {}
        except (OSError, ValueError, TypeError, KeyError):
            return {}

    def _keep(self, key: str) -> None:
        if self.cache is None:
            return
        partial = self.cache.with_suffix(".partial")
        try:
            answer = {"format": FORMAT, "recipes": self._recipes}
            partial.write_text(json.dumps({"key": key, "answer": answer}), encoding="utf-8")
            partial.replace(self.cache)
        except OSError:
            return


def option_words(recipe: str, about: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """A recipe's options as words of its command line, in the order `describe` tells them.

    `about` is what `describe` says of the recipe; `values` maps option names (and `preset`) to
    what a person entered, None and "" meaning the preset's own. Raises JobError, naming the
    option and what it takes, for what the trainer would refuse anyway, before a job is queued.
    """
    options = {option["name"]: option for option in about["options"]}
    unknown = sorted(set(values) - set(options) - {"preset"})
    if unknown:
        raise JobError(f"{recipe} has no option {unknown[0]!r}; it has {', '.join(options)}.")
    words: list[str] = []
    preset = values.get("preset")
    if preset:
        if preset not in about["presets"]:
            known = ", ".join(about["presets"]) or "none"
            raise JobError(f"{recipe} has no preset {preset!r}; it has {known}.")
        words += ["--preset", str(preset)]
    for name, option in options.items():
        value = values.get(name)
        if value is None or value == "":
            continue
        if option["type"] == "flag":
            words.append(option["flag"] if value else f"--no-{option['flag'].removeprefix('--')}")
        else:
            words += [option["flag"], _entered(option, value)]
    return words


def _entered(option: Mapping[str, Any], value: Any) -> str:
    """A value as a word; JobError if it is not of the option's type, choices or range."""
    flag, kind, text = option["flag"], option["type"], str(value).strip()
    if option.get("choices") and text not in option["choices"]:
        raise JobError(f"{flag} is {text!r}; it can be {', '.join(option['choices'])}.")
    if kind not in ("int", "float"):
        if text.startswith("-"):
            raise JobError(f"{flag} is {text!r}; a value cannot begin with a dash.")
        return text
    try:
        number = int(text) if kind == "int" else float(text)
        good = math.isfinite(number)
    except ValueError:
        good = False
    if not good:
        wanted = "a whole number" if kind == "int" else "a number"
        raise JobError(f"{flag} is {text!r}; it takes {wanted}.")
    low, high = option.get("minimum"), option.get("maximum")
    if (low is not None and number < low) or (high is not None and number > high):
        least = "" if low is None else f" at least {low:g}"
        most = "" if high is None else f" at most {high:g}"
        both = " and" if least and most else ""
        raise JobError(f"{flag} is {number:g}; it must be{least}{both}{most}.")
    return text


def _checked(answer: Any) -> dict[str, Any]:
    """The recipes of a description; ValueError, TypeError or KeyError if it is not one."""
    if answer["format"] != FORMAT:
        raise ValueError(answer["format"])
    recipes: dict[str, Any] = answer["recipes"]
    for recipe in recipes.values():
        for name in ("title", "presets", "options"):
            recipe[name]
    if not recipes:
        raise ValueError("no recipes")
    return recipes
