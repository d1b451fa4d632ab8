"""All that decides what a stage makes, and its digest, which names the stage's folder.

Settings (but for those of the machine), the seed, the images with their tags, what the trunk begins
with, where saliency comes from, true masks that teach, the code, and the stages that it stands on,
by their digests. Whatever else changes, the stage is the same.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.stages.code import code_of
from training.stages.files import FileDigests
from training.stages.stage import BY_CONTENT, PREDICT, Stage

if TYPE_CHECKING:
    from backend.exchange.sources import Source

Ingredients = dict[str, Any]

LENGTH = 16
CODE = "code"
RANDOM = "none"


@dataclass
class Pantry:
    """Looks up what stages are made of; every list and every file once.

    `tell(done, total)` hears how many images of a list are digested.
    """

    data: Path
    preset: str
    seed: int
    files: FileDigests
    tell: Any = None
    _sources: dict[str | None, "Source"] = field(default_factory=dict)
    _lists: dict[str | None, dict[str, Any]] = field(default_factory=dict)
    _trunks: dict[tuple[str, str], str] = field(default_factory=dict)

    def source(self, split: str | None) -> "Source":
        """The images of a list; DataError where there is none."""
        if split not in self._sources:
            from backend.exchange.sources import open_source

            self._sources[split] = open_source(self.data, split)
        return self._sources[split]

    def of(self, stage: Stage, standing_on: dict[str, str]) -> Ingredients:
        """The ingredients of a stage; standing_on: the digests of earlier stages by name.

        Raises TrainingError for a wrong option, WeightsError, SaliencyError or DataError for files
        that are missing or unreadable.
        """
        settings = stage.effective(self.preset)
        made_of: Ingredients = {
            "command": stage.command,
            "settings": {n: v for n, v in settings.items() if n not in BY_CONTENT},
            "images": self._images(stage.split),
            **({} if stage.command == PREDICT else {"seed": self.seed}),
        }
        if settings.get("start") == "run" or stage.begins_with:
            # OAA+ begins with the trunk of the run that it learns from, SAL with all of a network.
            made_of["trunk"] = "of the run"
        elif "backbone" in settings and "weights" in settings:
            made_of["trunk"] = self._trunk(settings["backbone"], settings["weights"])
        if settings.get("begin_with"):
            made_of["begin_with"] = self._network(settings["begin_with"])
        if "saliency" in settings:
            made_of["saliency"] = self._saliency(settings["saliency"], stage.split)
        if settings.get("strong"):
            made_of["strong"] = self._truth(settings["strong"])
        if stage.command == "segment" and not stage.on and not settings.get("strong"):
            made_of["strong"] = self._masks(stage.split)
        if stage.command == "sal" and self.source(stage.split).kind == "snapshot":
            made_of["decisions"] = self._decisions()
        made_of["on"] = {name: standing_on[name] for name in stage.on.values()}
        module = (
            "training.predictions" if stage.command == PREDICT
            else f"training.recipes.{stage.command}"
        )  # fmt: skip
        made_of[CODE] = code_of(module)
        return made_of

    def _images(self, split: str | None) -> dict[str, Any]:
        if split not in self._lists:
            source = self.source(split)
            told = hashlib.sha256(json.dumps(sorted(source.classes.items())).encode())
            for number, item in enumerate(source.items):
                told.update(f"{item.name} {item.tags} {self.files.of(item.image)}\n".encode())
                if self.tell is not None:
                    self.tell(number + 1, len(source.items))
            self._lists[split] = {
                "list": source.split or "all",
                "count": len(source.items),
                "digest": told.hexdigest()[:LENGTH],
            }
        return self._lists[split]

    def _truth(self, split: str) -> str:
        """Of the true masks of a list."""
        told = hashlib.sha256()
        for item in self.source(split).items:
            truth = "" if item.truth is None else self.files.of(item.truth)
            told.update(f"{item.name} {truth}\n".encode())
        return f"{split} {told.hexdigest()[:LENGTH]}"

    def _masks(self, split: str | None) -> str:
        """Of the curated masks of a snapshot."""
        told = hashlib.sha256()
        for item in self.source(split).items:
            mask = "" if item.mask is None else self.files.of(item.mask)
            told.update(f"{item.name} {mask}\n".encode())
        return told.hexdigest()[:LENGTH]

    def _decisions(self) -> str:
        """Of what a snapshot says of all its images: verdicts, masks, candidates and scores."""
        from backend.exchange.snapshot import EVERYTHING

        told = hashlib.sha256()
        for item in self.source(EVERYTHING).items:
            files = [self.files.of(each) for each in (item.mask, item.candidate) if each]
            scores = json.dumps(dict(item.scores), sort_keys=True)
            told.update(f"{item.name} {item.verdict} {files} {scores}\n".encode())
        return told.hexdigest()[:LENGTH]

    def _trunk(self, backbone: str, weights: str) -> str:
        if weights == RANDOM:
            return "random"
        # torch is imported only where a file of weights is looked for.
        from backend.weights import backbone_weights

        if (backbone, weights) not in self._trunks:
            start = backbone_weights(backbone, weights or None, data=self.data)
            told = "random" if start is None else str(start.origin["sha256"])[:LENGTH]
            self._trunks[backbone, weights] = told
        return self._trunks[backbone, weights]

    def _network(self, named: str) -> str:
        """Of a trained network's weights; WeightsError where there are none."""
        from backend.weights.networks import resolve

        return self.files.of(resolve(named))[:LENGTH]

    def _saliency(self, spec: str, split: str | None) -> str:
        from backend.saliency import saliency_source

        source = saliency_source(spec)
        if source.maps is None:
            return f"{spec.partition(':')[0]} {source.digest[:LENGTH]}".strip()
        told = hashlib.sha256()
        for item in self.source(split).items:
            found = self.files.of(source.maps.find(item.name)) if source.maps.has(item.name) else ""
            told.update(f"{item.name} {found}\n".encode())
        return f"folder {told.hexdigest()[:LENGTH]}"


def digest_of(made_of: Ingredients) -> str:
    """The name of what is made of these ingredients."""
    # What a list is called changes nothing about its images.
    told = {**made_of, "images": made_of["images"]["digest"]}
    text = json.dumps(told, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def differences(before: Ingredients, now: Ingredients) -> list[str]:
    """What is not the same in two sets of ingredients, as parts of a sentence."""
    said = []
    old, new = before.get("settings", {}), now["settings"]
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            said.append(f"{name} {_shown(old.get(name))} → {_shown(new.get(name))}")
    if before.get("seed") != now.get("seed"):
        said.append(f"seed {before.get('seed')} → {now.get('seed')}")
    said += _of_images(before.get("images", {}), now["images"])
    for key, what in (
        ("trunk", "other initial weights"),
        ("begin_with", "another network to begin with"),
        ("saliency", "other saliency maps"),
        ("strong", "other true masks"),
        ("decisions", "other decisions, candidates or scores"),
    ):
        if before.get(key) != now.get(key):
            said.append(what)
    code = _changed(before.get(CODE, {}), now[CODE])
    if code:
        more = f" and {len(code) - 3} files more" if len(code) > 3 else ""
        said.append(f"code of {', '.join(code[:3])}{more}")
    said += [f"the stage {name} is another" for name in _changed(before.get("on", {}), now["on"])]
    return said


def same_but_code(one: Ingredients, other: Ingredients) -> bool:
    """Whether two sets differ in nothing but the code."""
    return digest_of({**one, CODE: {}}) == digest_of({**other, CODE: {}})


def _of_images(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    if before.get("digest") == now["digest"]:
        return []
    said = []
    if before.get("list") != now["list"]:
        said.append(f"the list {before.get('list')} → {now['list']}")
    if before.get("count") != now["count"]:
        said.append(f"{before.get('count')} → {now['count']} images")
    return said or ["other images or tags"]


def _changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    return [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value) or "unset"
