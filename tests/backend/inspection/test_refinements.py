"""Which refinement makes the mask that counts: the CRF, the random walk, GrabCut, or none."""

import numpy as np
import pytest
import torch

from backend.errors import RefinementError
from backend.inspection import Caches, Inspector, Settings, Truth
from backend.maps import crf, grabcut, walk
from backend.networks.affinity import AffinityNet
from backend.random_walk import RandomWalk
from backend.weights import WeightsCard

from .conftest import CAT, DOG, PLAIN, Make, by_stage


def random_walk(name: str = "near") -> RandomWalk:
    torch.manual_seed(4)
    network = AffinityNet("slim")
    card = WeightsCard(
        name=name, kind="affinity", backbone="slim", stride=4, classes=(), class_ids=(),
        normalisation=PLAIN, input_size=48, architecture=network.settings, digest=name,
    )  # fmt: skip
    return RandomWalk(network, card)


@pytest.fixture
def bench(make: Make) -> Inspector:
    """An inspector that has one random walk, whatever it is called."""
    inspector = make("cam")
    walks = random_walk()
    inspector._walks = lambda name: walks
    return inspector


def refined_stages(made: dict) -> list[str]:
    return [stage for stage in made if stage in ("crf", "walk", "grabcut")]


def test_only_the_chosen_refinement_is_there_and_is_scored(
    bench: Inspector, image: np.ndarray
) -> None:
    truth = Truth("t", lambda: np.zeros((48, 64), np.uint8), {8: "cat", 12: "dog"})
    for refine, said in (
        ("walk", "the random walk's mask"), ("grabcut", "GrabCut's mask of DCSP"),
        ("none", "the DCSP mask"),
    ):  # fmt: skip
        chosen = Settings(refine=refine)
        made = by_stage(bench.inspect(image, [CAT, DOG], chosen, truth=truth))
        expected = [] if refine == "none" else [refine]
        assert refined_stages(made) == expected
        stage = refine if expected else "fusion.dcsp"
        assert made["sal.score"].details["mask"] == made["truth.error"].details["mask"] == stage
        assert made["truth.error"].caption.startswith(said)


def test_the_walk_moves_the_attention_by_the_affinities_of_the_image(
    bench: Inspector, image: np.ndarray
) -> None:
    chosen = Settings(refine="walk", walk_steps=20, walk_beta=2.0, walk_alpha=4.0)
    made = by_stage(bench.inspect(image, [CAT, DOG], chosen))
    heats = np.stack([made["cam:cat"].array, made["cam:dog"].array])
    near = random_walk()
    cells = walk.pooled(walk.with_background(heats, 4.0), 4)
    walked = walk.walk(cells, near.affinities(image), beta=2.0, steps=20)
    strongest = walked.argmax(axis=0)
    labels = made["walk"].array
    assert labels.shape == (48, 64)
    # In the middle of a cell the map is the cell's own, whatever stands beside it.
    sure = np.sort(walked, axis=0)[-1] - np.sort(walked, axis=0)[-2] > 0.1
    middle = np.array([0, 8, 12])[strongest]
    assert sure.any()
    assert np.array_equal(labels[2::4, 2::4][sure], middle[sure])
    assert made["walk"].caption.startswith("random walk of the attention by near")


def test_grabcut_begins_from_the_chosen_fusion_and_takes_the_zones_for_sure(
    bench: Inspector, image: np.ndarray
) -> None:
    chosen = Settings(refine="grabcut", fusion="seenet", high=0.9, low=0.2)
    made = by_stage(bench.inspect(image, [CAT, DOG], chosen))
    heats = np.stack([made["cam:cat"].array, made["cam:dog"].array])
    low = heats.min(axis=(1, 2), keepdims=True)
    spread = (heats - low) / (heats.max(axis=(1, 2), keepdims=True) - low)
    expected = grabcut.refine(
        image, made["fusion.seenet"].array, spread, (8, 12), high=0.9, low=0.2
    )
    assert np.array_equal(made["grabcut"].array, expected)
    assert made["grabcut"].caption.startswith("GrabCut on SeeNet")


@pytest.mark.parametrize(
    ("moved", "refine", "stale"),
    [
        ("walk_beta", "walk", ["walk", "sal.score"]),
        ("affinity", "walk", ["walk", "sal.score"]),
        ("walk_beta", "crf", []),
        ("confidence", "walk", []),
        ("high", "grabcut", ["zones", "grabcut", "sal.score"]),
        ("high", "walk", ["zones"]),
        ("gamma", "grabcut", ["fusion.dcsp", "grabcut", "sal.score"]),
        ("gamma", "none", ["fusion.dcsp", "sal.score"]),
        ("fusion", "none", ["sal.score"]),
        ("refine", "grabcut", ["grabcut", "sal.score"]),
        ("refine", "none", ["sal.score"]),
    ],
)
def test_a_moved_setting_makes_what_stands_on_it_again(
    bench: Inspector, moved: str, refine: str, stale: list[str]
) -> None:
    assert bench.stages(Settings(refine=refine), moved) == stale


def test_a_warm_cache_gives_each_refinement_its_own(bench: Inspector, image: np.ndarray) -> None:
    caches = Caches()
    for chosen in (
        Settings(refine="walk"), Settings(refine="grabcut"), Settings(refine="walk", walk_beta=1.0),
        Settings(refine="grabcut", high=0.5), Settings(refine="walk"),
    ):  # fmt: skip
        warm = by_stage(bench.inspect(image, [CAT, DOG], chosen, caches=caches))
        cold = by_stage(bench.inspect(image, [CAT, DOG], chosen))
        for stage in (chosen.refine, "sal.score"):
            assert np.array_equal(warm[stage].array, cold[stage].array), (chosen, stage)


def test_without_affinity_weights_the_walk_says_so_and_the_fusion_counts(
    make: Make, image: np.ndarray
) -> None:
    made = by_stage(make("cam").inspect(image, [CAT], Settings(refine="walk")))
    assert made["walk"].kind == "note"
    assert made["walk"].caption.startswith("There are no affinity weights here")
    assert made["sal.score"].details["mask"] == "fusion.dcsp"
    assert "not refined" in made["sal.score"].caption

    def gone(name: str) -> RandomWalk:
        raise RefinementError(f"The affinity weights {name} are gone.")

    other = make("cam")
    other._walks = gone
    made = by_stage(other.inspect(image, [CAT], Settings(refine="walk", affinity="run:3")))
    assert made["walk"].caption == "The affinity weights run:3 are gone."


def test_without_a_tag_nothing_is_refined(bench: Inspector, image: np.ndarray) -> None:
    for refine in ("walk", "grabcut"):
        made = by_stage(bench.inspect(image, [], Settings(refine=refine)))
        assert made[refine].caption == "Refinement needs a tag that the weights know."


def test_crf_presets_by_name_are_all_accepted() -> None:
    for name, parameters in crf.PRESETS.items():
        assert Settings.from_json({"crf": name}).crf == parameters
