"""One image through every stage: order, what is made again, what is said where one fails."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from backend.errors import DataError, RefinementError, SaliencyError
from backend.inspection import (
    FUSIONS,
    METHODS,
    Caches,
    Inspector,
    Settings,
    StageMap,
    inspect,
    stages_of,
    standing_after,
)
from backend.inspection.scene import network_size
from backend.inspection.table import TRUTH_STAGES
from backend.maps.crf import PRESETS, check
from backend.networks import ClassifierOutput, Normalisation
from backend.saliency import SaliencySource
from backend.weights import WeightsCard

PLAIN = Normalisation("rgb", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
CARD = WeightsCard(
    name="colours",
    kind="cam",
    backbone="none",
    stride=1,
    classes=("red", "Blue", "never"),
    class_ids=(1, 2, 3),
    normalisation=PLAIN,
    input_size=32,
)
CAM = METHODS["cam"]
# What there is as long as nobody chooses more looks for saliency or another refinement.
THERE = [name for name, stage in stages_of(CAM).items() if stage.when in (None, ("refine", "crf"))]
RED, BLUE, NEVER, STRANGE = (5, "red"), (9, "blue"), (7, "never"), (8, "strange")


class Colours(nn.Module):
    """A network whose maps can be read off the image: red, blue, and one below zero throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.none = nn.Parameter(torch.zeros(1))
        self.calls = 0

    def forward(self, images: torch.Tensor) -> ClassifierOutput:
        self.calls += 1
        maps = torch.stack([images[:, 0], images[:, 2], images[:, 0] - 2], dim=1)
        return ClassifierOutput(maps.mean(dim=(2, 3)), maps)


class MiddleIsSalient:
    """A detector for which the middle half of the columns stands out; it counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, image: np.ndarray) -> np.ndarray:
        self.calls += 1
        heat = np.zeros(image.shape[:2], np.float32)
        width = image.shape[1]
        heat[:, width // 4 : width - width // 4] = 1
        return heat


class Pool:
    """In the place of a CrfPool: gives back what it is given, or fails."""

    available, reason = True, ""

    def __init__(self, failure: str | None = None) -> None:
        self.failure = failure
        self.calls = 0

    def refine(self, image: np.ndarray, probabilities: np.ndarray, _: object) -> np.ndarray:
        self.calls += 1
        if self.failure:
            raise RefinementError(self.failure)
        return check(image, probabilities)[1]


@pytest.fixture
def image() -> np.ndarray:
    """32 x 32: the left half full red, a quarter of it on the right; blue only on the right."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, :16, 0] = 200
    pixels[:, 16:, 0] = 50
    pixels[:, 16:, 2] = 250
    return pixels


def inspector(
    crf: Pool | None = None, detector: MiddleIsSalient | None = None, **more
) -> Inspector:
    source = SaliencySource("middle", "test", detector=detector or MiddleIsSalient())
    return Inspector(Colours(), CARD, source, crf, **more)


def by_stage(stages: Iterator[StageMap]) -> dict[str, StageMap]:
    return {f"{made.stage}:{made.tag}" if made.tag else made.stage: made for made in stages}


def without_truth(stages: Iterable[str]) -> list[str]:
    return [stage for stage in stages if stage not in TRUTH_STAGES]


def test_stages_come_in_the_order_of_the_table_with_a_map_for_each_tag(image: np.ndarray) -> None:
    made = list(inspector(Pool()).inspect(image, [RED, BLUE]))
    assert [one.stage for one in made] == [
        "image", "cam", "cam", "zones", "saliency", "fusion.seenet", "fusion.dcsp", "fusion.oaa",
        "crf", "sal.score",
    ]  # fmt: skip
    assert [one.tag for one in made if one.stage == "cam"] == ["red", "blue"]
    assert {one.stage: one.array.dtype.name for one in made if one.array is not None} == {
        "image": "uint8", "cam": "float32", "zones": "int8", "saliency": "float32",
        "fusion.seenet": "uint8", "fusion.dcsp": "uint8", "fusion.oaa": "uint8", "crf": "uint8",
        "sal.score": "float32",
    }  # fmt: skip


def test_values_are_those_of_the_papers_rules(image: np.ndarray) -> None:
    made = by_stage(inspector().inspect(image, [RED, BLUE]))
    red, blue = made["cam:red"].array, made["cam:blue"].array
    assert red[:, :16] == pytest.approx(1)
    assert red[:, 16:] == pytest.approx(0.25)
    assert blue[:, :16] == pytest.approx(0)
    assert blue[:, 16:] == pytest.approx(1)
    # max over tags is 1 everywhere: one attention zone
    assert (made["zones"].array == 0).all()
    # harmonic mean of 1 and saliency: 1 in the middle half, 0 outside, where background wins
    expected = np.zeros((32, 32), np.uint8)
    expected[:, 8:16], expected[:, 16:24] = RED[0], BLUE[0]
    for stage in ("fusion.seenet", "fusion.dcsp"):
        assert np.array_equal(made[stage].array, expected)
        assert made[stage].numbers == {"background": 0.5, "red": 0.25, "blue": 0.25}
    assert made["sal.score"].numbers == {"AC": 1.0, "CD": 1.0, "SC": 1.0}


def test_zones_follow_their_thresholds(image: np.ndarray) -> None:
    stages = inspector().inspect(image, [RED], Settings(high=0.9, low=0.3))
    made = by_stage(stages)["zones"]
    assert (made.array[:, :16] == 0).all()
    assert (made.array[:, 16:] == -1).all()
    assert made.numbers == {"attention": 0.5, "potential": 0.0, "background": 0.5}


def test_zones_and_dcsp_labels_are_made_of_each_tags_attention_from_minimum_to_maximum(
    image: np.ndarray,
) -> None:
    # red is 0.25 of its maximum on the right, which is its minimum: no attention at all
    made = by_stage(inspector().inspect(image, [RED], Settings(low=0.2)))
    assert (made["zones"].array[:, :16] == 0).all()
    assert (made["zones"].array[:, 16:] == -1).all()
    # at gamma 0.4 the mean of 0.25 and saliency 1, 0.4, would be red
    expected = np.zeros((32, 32), np.uint8)
    expected[:, 8:16] = RED[0]
    assert np.array_equal(made["fusion.dcsp"].array, expected)
    # doubt where background and red both claim all, and where the saliency has no claimant
    expected[:, :8] = expected[:, 16:24] = 255
    assert np.array_equal(made["fusion.oaa"].array, expected)


def test_attention_that_is_the_same_everywhere_points_nowhere() -> None:
    made = by_stage(inspector().inspect(np.full((32, 32, 3), 90, np.uint8), [RED]))
    assert (made["cam:red"].array == 1).all()
    assert (made["zones"].array == 1).all()
    assert not made["fusion.dcsp"].array.any()


def test_an_id_that_goes_from_one_class_to_another_does_not_take_its_maps_along(
    image: np.ndarray,
) -> None:
    bench, caches = inspector(Pool()), Caches()
    list(bench.inspect(image, [(254, "red")], caches=caches))
    warm = by_stage(bench.inspect(image, [(254, "blue")], caches=caches))
    cold = by_stage(inspector(Pool()).inspect(image, [(254, "blue")]))
    assert warm.keys() == cold.keys()
    for stage, one in warm.items():
        assert np.array_equal(one.array, cold[stage].array), stage
    assert bench.network.calls == 1


def test_a_cache_given_to_other_weights_by_mistake_brings_none_of_the_first_ones_maps(
    image: np.ndarray,
) -> None:
    class Reversed(Colours):
        """Its maps the other way round: the first output sees blue."""

        def forward(self, images: torch.Tensor) -> ClassifierOutput:
            return super().forward(images.flip(1))

    caches = Caches()
    list(inspector().inspect(image, [RED], caches=caches))
    source = SaliencySource("middle", "test", detector=MiddleIsSalient())
    other = Inspector(Reversed(), replace(CARD, digest="1" * 64), source)
    made = by_stage(other.inspect(image, [RED], caches=caches))
    assert made["cam:red"].array[0, 0] == 0
    assert made["cam:red"].array[0, 31] == 1


def test_the_function_yields_what_an_inspector_does(image: np.ndarray) -> None:
    network, caches = Colours().train(), Caches()
    source = SaliencySource("middle", "test", detector=MiddleIsSalient())
    given = {"network": network, "card": CARD, "saliency": source, "caches": caches}
    made = list(inspect(image, [RED, BLUE], crf=Pool(), **given))
    expected = list(inspector(Pool()).inspect(image, [RED, BLUE]))
    assert [(one.stage, one.tag, one.caption) for one in made] == [
        (one.stage, one.tag, one.caption) for one in expected
    ]
    for one, other in zip(made, expected, strict=True):
        assert np.array_equal(one.array, other.array)
    assert not network.training
    moved = list(inspect(image, [RED], settings=Settings(high=0.5), after="high", **given))
    assert [one.stage for one in moved] == ["zones"]
    assert network.calls == 1


def test_network_and_detector_run_once_however_the_sliders_move(image: np.ndarray) -> None:
    detector, pool = MiddleIsSalient(), Pool()
    bench, caches = inspector(pool, detector), Caches()
    for moved in (Settings(), Settings(high=0.5), Settings(weight=2), Settings(gamma=0.6)):
        list(bench.inspect(image, [RED, BLUE], moved, caches=caches))
        list(bench.inspect(image, [BLUE], moved, caches=caches))
    assert bench.network.calls == 1
    assert detector.calls == 1


def test_the_image_is_not_read_again_where_the_cache_suffices(image: np.ndarray) -> None:
    reads, caches, bench = [], Caches(), inspector()

    def read() -> np.ndarray:
        reads.append(1)
        return image

    list(bench.inspect(read, [RED], caches=caches, after="cam"))
    list(bench.inspect(read, [RED], Settings(gamma=0.2), caches=caches, after="gamma"))
    assert len(reads) == 1


@pytest.mark.parametrize(
    ("after", "fusion", "stale"),
    [
        ("high", "dcsp", ["zones"]),
        ("zones", "dcsp", []),
        ("weight", "dcsp", ["fusion.seenet"]),
        ("weight", "seenet", ["fusion.seenet", "crf", "sal.score"]),
        ("gamma", "dcsp", ["fusion.dcsp", "crf", "sal.score"]),
        ("gamma", "oaa", ["fusion.dcsp"]),
        ("crf", "dcsp", ["crf", "sal.score"]),
        ("fusion", "dcsp", ["crf", "sal.score"]),
        ("confidence", "dcsp", ["crf", "sal.score"]),
        ("saliency", "dcsp", [f"fusion.{rule}" for rule in FUSIONS] + ["crf", "sal.score"]),
        (["high", "weight"], "oaa", ["zones", "fusion.seenet"]),
        ("truth_threshold", "dcsp", []),
        ("reliable", "dcsp", []),
        (None, "dcsp", THERE),
        ("method", "dcsp", THERE),
    ],
)
def test_only_what_stands_after_a_change_is_made_again(
    image: np.ndarray, after: object, fusion: str, stale: list[str]
) -> None:
    chosen = Settings(fusion=fusion)
    if after == "saliency":  # the setting and the stage share a name: both mean the map changed
        stale = ["saliency", *stale]
    assert without_truth(standing_after(after, chosen, CAM)) == without_truth(stale)
    made = inspector(Pool()).inspect(image, [RED], chosen, after)
    assert [one.stage for one in made] == without_truth(stale)


@settings(max_examples=40, deadline=None)
@given(
    moves=st.lists(
        st.builds(
            Settings,
            high=st.sampled_from([0.5, 0.7, 1.0]),
            low=st.sampled_from([0.0, 0.3, 0.5]),
            weight=st.sampled_from([0.0, 1.0, 3.0]),
            gamma=st.sampled_from([0.0, 0.4, 0.9]),
            confidence=st.sampled_from([0.7, 0.9]),
            fusion=st.sampled_from(FUSIONS),
            crf=st.sampled_from([None, *PRESETS.values()]),
            refine=st.sampled_from(["crf", "grabcut", "none"]),
            erasing_steps=st.sampled_from([1, 2, 3]),
            erase_above=st.sampled_from([(0.7, 0.8), (0.0, 0.5)]),
        ),
        min_size=1,
        max_size=5,
    ),
    tags=st.lists(st.sampled_from([RED, BLUE, NEVER, STRANGE]), max_size=4),
    seed=st.integers(0, 3),
)
def test_a_warm_cache_never_changes_a_pixel(
    moves: list[Settings], tags: list[tuple[int, str]], seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 255, (20, 28, 3), dtype=np.uint8)
    caches = Caches()
    warm_bench = inspector(Pool())
    for moved in moves:
        warm = list(warm_bench.inspect(pixels, tags, moved, caches=caches))
        cold = list(inspector(Pool()).inspect(pixels, tags, moved))
        assert [(one.stage, one.kind, one.caption, one.numbers) for one in warm] == [
            (one.stage, one.kind, one.caption, one.numbers) for one in cold
        ]
        for one, other in zip(warm, cold, strict=True):
            assert (one.array is None) == (other.array is None)
            assert one.array is None or np.array_equal(one.array, other.array)


def test_a_cache_does_not_grow_with_the_sliders(image: np.ndarray) -> None:
    bench, caches = inspector(Pool()), Caches()
    list(bench.inspect(image, [RED], caches=caches))
    names = [kept.names for kept in (caches.image, caches.weights, caches.method)]
    for step in range(1, 10):
        list(bench.inspect(image, [RED], Settings(gamma=step / 10), caches=caches))
    assert names == [kept.names for kept in (caches.image, caches.weights, caches.method)]


def test_a_tag_that_the_weights_do_not_know_is_named_and_the_rest_goes_on(
    image: np.ndarray,
) -> None:
    made = by_stage(inspector(Pool()).inspect(image, [RED, STRANGE]))
    note = made["cam:strange"]
    assert note.kind == "note"
    assert note.array is None
    assert "'strange'" in note.caption
    assert made["cam:red"].kind == "heat"
    assert STRANGE[0] not in np.unique(made["fusion.dcsp"].array)


def test_tags_are_known_by_name_not_by_the_number_another_data_set_gave(image: np.ndarray) -> None:
    (made,) = inspector().inspect(image, [(200, "BLUE")], only=["fusion.dcsp"])
    assert set(np.unique(made.array)) == {0, 200}


def test_without_tags_every_stage_that_needs_one_says_so(image: np.ndarray) -> None:
    made = by_stage(inspector(Pool()).inspect(image, []))
    assert made["saliency"].kind == "heat"
    for stage in ("cam", "zones", "fusion.seenet", "crf", "sal.score"):
        assert made[stage].kind == "note"
        assert made[stage].caption.endswith(".")


def test_attention_that_is_zero_throughout_wins_nothing_and_is_explained(image: np.ndarray) -> None:
    made = by_stage(inspector(Pool()).inspect(image, [NEVER]))
    assert not made["cam:never"].array.any()
    assert "no sign of 'never'" in made["cam:never"].caption
    assert (made["zones"].array == 1).all()
    assert not made["fusion.dcsp"].array.any()
    assert made["sal.score"].numbers == {"AC": 0.0, "CD": 0.0, "SC": 0.0}


def test_repeated_tags_count_once_and_their_order_changes_no_label(image: np.ndarray) -> None:
    bench = inspector(Pool())
    one = by_stage(bench.inspect(image, [RED, BLUE, RED]))
    other = by_stage(bench.inspect(image, [BLUE, RED]))
    for stage in ("zones", "fusion.seenet", "fusion.dcsp", "fusion.oaa", "crf"):
        assert np.array_equal(one[stage].array, other[stage].array)


@pytest.mark.parametrize(
    ("pool", "said"),
    [(None, "no CRF"), (Pool("The worker died."), "The worker died.")],
)
def test_without_a_crf_the_stage_says_so_and_the_fused_mask_is_scored(
    image: np.ndarray, pool: Pool | None, said: str
) -> None:
    made = by_stage(inspector(pool).inspect(image, [RED], Settings(gamma=0.5)))
    assert made["crf"].kind == "note"
    assert said in made["crf"].caption
    score = made["sal.score"]
    # saliency is 1 on half the columns, so twice its mean is 1 and nothing is above: capped at 0.9
    assert score.array.mean() == 0.5
    assert "not refined" in score.caption
    # red: the left half of the middle, 8 of 16 columns: precision 1, recall 1/2
    assert score.numbers["AC"] == pytest.approx(2 / 3)


def test_a_crf_that_is_switched_off_is_not_called(image: np.ndarray) -> None:
    pool = Pool()
    made = by_stage(inspector(pool).inspect(image, [RED], Settings(crf=None)))
    assert made["crf"].kind == "note"
    assert made["sal.score"].kind == "score"
    assert pool.calls == 0


def test_a_missing_saliency_map_silences_what_needs_it_and_nothing_else(image: np.ndarray) -> None:
    def missing(_: np.ndarray) -> np.ndarray:
        raise SaliencyError("There is no saliency map for this image.")

    source = SaliencySource("broken", "test", detector=missing)
    made = by_stage(Inspector(Colours(), CARD, source, Pool()).inspect(image, [RED]))
    assert made["cam:red"].kind == "heat"
    assert made["zones"].kind == "zones"
    for stage in ("saliency", "fusion.seenet", "fusion.dcsp", "fusion.oaa", "crf", "sal.score"):
        assert made[stage].kind == "note"
        assert made[stage].caption == "There is no saliency map for this image."


def test_an_unknown_saliency_source_names_those_there_are(image: np.ndarray) -> None:
    source = SaliencySource("middle", "test", detector=MiddleIsSalient())
    bench = Inspector(Colours(), CARD, {"middle": source})
    made = by_stage(bench.inspect(image, [RED], Settings(saliency="other")))
    assert "middle" in made["saliency"].caption


def test_long_images_are_worked_on_smaller_and_all_maps_agree_in_size() -> None:
    pixels = np.zeros((30, 90, 3), np.uint8)
    made = inspector(Pool(), working_side=45).inspect(pixels, [RED])
    assert {one.array.shape[:2] for one in made if one.array is not None} == {(15, 45)}
    made = inspector(Pool(), working_side=None).inspect(pixels, [RED])
    assert {one.array.shape[:2] for one in made if one.array is not None} == {(30, 90)}


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((375, 500), (224, 299)),
        ((500, 375), (299, 224)),
        ((96, 96), (224, 224)),
        ((100, 1000), (45, 448)),
        ((8, 4000), (32, 448)),
    ],
)
def test_the_network_sees_the_short_side_at_the_weights_input_size(
    size: tuple[int, int], seen: tuple[int, int]
) -> None:
    assert network_size(size, 224) == seen


def test_an_unknown_stage_is_named() -> None:
    with pytest.raises(DataError, match="'zoness'"):
        standing_after("zoness", Settings(), CAM)
