"""Which stages take each paper from tags to a segmenter, with what the paper says of them.

A chain's names are what --set and the page call its stages. Numbers that a recipe has itself are
not said again here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from training.errors import TrainingError
from training.recipes import find_recipe
from training.stages.predictions import Predictions
from training.stages.stage import PREDICT, Stage

# ECS-Net's maps of the preset light are best cut at 0.55 to 0.6 (benchmarks/attention.md), where a
# CAM's are at 0.25: the background that they compete with is weaker accordingly.
LIGHT_WALK: Mapping[str, Any] = {
    "low_alpha": 0.5,
    "high_alpha": 3.0,
    "alpha": 0.7,
    "beta": 24.0,
    "crf": "dcsp",
}
# OAA's accumulated maps of the preset light are best cut at 0.1: its rule, which drops what is
# under 0.3, would drop half of each object.
LIGHT_OAA: Mapping[str, Any] = {"keep_above": 0.1}


@dataclass(frozen=True)
class Wishes:
    """What is the same for all stages of a pipeline: the lists, the saliency, and options that go
    to every recipe that has them.

    split: the list that is learnt from; test: the list that is predicted; strong: the list whose
    true masks teach the segmenter, "" for none; trunk: the initial weights asked for, "" for what
    fits.
    """

    preset: str
    split: str | None
    test: str | None
    saliency: str = "classical"
    strong: str = ""
    trunk: str = ""
    everywhere: Mapping[str, Any] = field(default_factory=dict)


class Chain:
    """The stages of one pipeline, collected in their order."""

    def __init__(self, wishes: Wishes) -> None:
        self.wishes = wishes
        self.stages: list[Stage] = []

    def recipe(
        self,
        name: str,
        command: str,
        title: str,
        *,
        on: Mapping[str, str] | None = None,
        gives: tuple[str, ...] = (),
        **given: Any,
    ) -> str:
        """Adds a stage that runs a recipe; its name, for those that stand on it."""
        recipe = find_recipe(command)
        stage = Stage(
            name,
            title,
            command,
            recipe.settings,
            on=on or {},
            split=self.wishes.split,
            presets=recipe.presets,
            gives=gives,
        )
        known = stage.options
        wanted = {**self.wishes.everywhere, **self._trunk(stage), **given}
        kept = {name: value for name, value in wanted.items() if name in known}
        self.stages.append(_with(stage, kept))
        return name

    def _trunk(self, stage: Stage) -> dict[str, Any]:
        """The initial weights asked for, where a stage has a trunk that begins with any."""
        if not self.wishes.trunk or "backbone" not in stage.options or stage.begins_with:
            return {}
        # OAA+ may begin with the trunk of the run that it learns from.
        own = "start" in stage.options and stage.settled(self.wishes.preset).start == "run"
        return {} if own else {"weights": self.wishes.trunk}

    def segmenter(self, labels: str | None, **given: Any) -> None:
        """Adds DeepLab on an earlier stage's labels, or on true masks, and its predictions."""
        on = {"from_": labels} if labels else {}
        made = self.recipe(
            "segmenter", "segment", "Segmenter", on=on, gives=("weights",),
            strong=self.wishes.strong, **given,
        )  # fmt: skip
        # SeeNet 5.1, which the others follow: several scales, and DeepLab's CRF.
        self.predictions(made, scales=(0.75, 1.0, 1.25), flip=True, crf="deeplab")

    def predictions(self, segmenter: str, **given: Any) -> None:
        """Adds the labels of the test list, as a segmenter sees them."""
        stage = Stage(
            "predictions", "Predictions", PREDICT, Predictions,
            on={"run": segmenter}, split=self.wishes.test, gives=("predictions",),
        )  # fmt: skip
        known = stage.options
        wanted = {**self.wishes.everywhere, **given}
        self.stages.append(_with(stage, {k: v for k, v in wanted.items() if k in known}))


def seenet(chain: Chain) -> None:
    """SeeNet 4 and 5: self-erasing attention, Algorithm 1 with saliency, LargeFOV."""
    attention = chain.recipe("attention", "seenet", "Attention (SeeNet)", gives=("weights", "maps"))
    labels = chain.recipe(
        "labels", "fuse", "Proxy labels", on={"from_": attention}, gives=("labels",),
        fusion="seenet", saliency=chain.wishes.saliency,
    )  # fmt: skip
    chain.segmenter(labels)


def oaa(chain: Chain) -> None:
    """OAA 3.2 and 4: accumulated attention, its rule for labels with saliency, CRF, LargeFOV."""
    attention = chain.recipe("attention", "oaa", "Attention (OAA)", gives=("weights", "maps"))
    _oaa_labels(chain, attention, **(LIGHT_OAA if chain.wishes.preset == "light" else {}))


def oaa_plus(chain: Chain) -> None:
    """OAA 3.3: the same, with an integral attention model between."""
    attention = chain.recipe("attention", "oaa", "Attention (OAA)", gives=("weights", "maps"))
    integral = chain.recipe(
        "integral", "oaaplus", "Integral attention (OAA+)", on={"from_": attention},
        gives=("weights", "maps"),
    )  # fmt: skip
    _oaa_labels(chain, integral)


def _oaa_labels(chain: Chain, attention: str, **given: Any) -> None:
    labels = chain.recipe(
        "labels", "fuse", "Proxy labels", on={"from_": attention}, gives=("labels",),
        fusion="oaa", crf="oaa", saliency=chain.wishes.saliency, **given,
    )  # fmt: skip
    chain.segmenter(labels)


def ecsnet(chain: Chain) -> None:
    """ECS-Net 3 and 4.5: refined maps, AffinityNet's random walk, no saliency, LargeFOV."""
    attention = chain.recipe(
        "attention", "ecsnet", "Attention (ECS-Net)", gives=("weights", "maps")
    )
    walk = LIGHT_WALK if chain.wishes.preset == "light" else {}
    labels = chain.recipe(
        "labels", "affinity", "Proxy labels (AffinityNet)", on={"from_": attention},
        gives=("weights", "labels"), **walk,
    )  # fmt: skip
    chain.segmenter(labels)


def dcsp(chain: Chain) -> None:
    """DCSP 4 and 5: one network, taught tags and cues together, adapts its cues and segments."""
    joint = chain.recipe(
        "joint",
        "dcsp",
        "Cues and segmenter (DCSP)",
        gives=("weights", "labels"),
        saliency=chain.wishes.saliency,
    )
    chain.predictions(joint, scales=(1.0, 0.75, 0.5), fusion="max", crf="dcsp")


def sal(chain: Chain) -> None:
    """SAL III and IV: DSRG's masks on OAA's attention, scored, chosen, and learnt beside the tags.

    The paper's own cues are a CAM's; OAA is what it cites of later ones.
    """
    saliency = chain.wishes.saliency
    attention = chain.recipe("attention", "oaa", "Attention (OAA)", gives=("weights", "maps"))
    labels = chain.recipe(
        "labels", "dsrg", "Proxy labels (DSRG)", on={"from_": attention},
        gives=("weights", "labels"), saliency=saliency,
    )  # fmt: skip
    scorer = chain.recipe(
        "scorer", "scorer", "Mask scorer", on={"from_": labels}, gives=("weights",),
        saliency=saliency,
    )  # fmt: skip
    scores = chain.recipe(
        "scores", "score", "Mask scores", on={"from_": labels, "scorer": scorer},
        gives=("scores",), saliency=saliency,
    )  # fmt: skip
    # A retraining from ImageNet takes the paper's steps; in fewer it goes on from DSRG's network.
    again = {} if chain.wishes.preset == "paper" else {"begin_with": labels}
    made = chain.recipe(
        "segmenter", "sal", "Segmenter (SAL-Net)",
        on={"from_": labels, "scores": scores, **again}, gives=("weights",),
        strong=chain.wishes.strong,
    )  # fmt: skip
    chain.predictions(made, scales=(0.75, 1.0, 1.25), flip=True, crf="sal")


def full(chain: Chain) -> None:
    """No paper's: the same segmenter on true masks, which the others are compared with."""
    chain.segmenter(None)


METHODS: dict[str, Callable[[Chain], None]] = {
    "seenet": seenet,
    "oaa": oaa,
    "oaa+": oaa_plus,
    "dcsp": dcsp,
    "ecsnet": ecsnet,
    "sal": sal,
    "full": full,
}


def chain_of(method: str, wishes: Wishes, own: Mapping[str, Mapping[str, Any]]) -> list[Stage]:
    """The stages of a method in the order in which they are made.

    own: options by stage that a person set (--set), already of the right types. Raises
    TrainingError where true masks are to teach, but no stage of the method learns from any, and
    where a stage is to begin with two networks.
    """
    chain = Chain(wishes)
    METHODS[method](chain)
    if wishes.strong and not any("strong" in stage.given for stage in chain.stages):
        raise TrainingError(
            f"--strong is {wishes.strong}, but no stage of {method} learns from true masks. Leave "
            "it out, or choose another --method."
        )
    return [_chosen(stage, own.get(stage.name, {})) for stage in chain.stages]


def _chosen(stage: Stage, own: Mapping[str, Any]) -> Stage:
    """A stage with what a person set of it. One that begins with a trained network has its trunk,
    and not the initial weights that the pipeline's others begin with.
    """
    made = _with(stage, own)
    if not made.begins_with:
        return made
    if own.get("weights"):
        raise TrainingError(
            f"{stage.name}.weights is {own['weights']}, but this stage begins with a trained "
            "network and takes its trunk (--begin-with): both cannot be begun with. Leave it out."
        )
    given = {name: value for name, value in made.given.items() if name != "weights"}
    named = given.get("begin_with")
    if named and Path(named).exists():
        # A stage is started from the project's folder.
        given["begin_with"] = str(Path(named).absolute())
    return replace(made, given=given)


def _with(stage: Stage, given: Mapping[str, Any]) -> Stage:
    return replace(stage, given={**stage.given, **given})
