"""SeeNet's own stages: both branches, their zones, their fusions, and what a slider runs again."""

import numpy as np
import pytest
import torch

from backend.inspection import Caches, Settings
from backend.maps.attention import normalise, resize
from backend.maps.zones import in_unit_range, ternary_mask
from backend.networks.seenet import SeeNet

from .conftest import CAT, DOG, HORSE, Counted, Make, by_stage, input_of

TAGS = torch.tensor([[1.0, 1.0, 0.0]])


def looked(
    bench, image: np.ndarray, high: float = 0.7, low: float = 0.05
) -> tuple[np.ndarray, np.ndarray]:
    """Branch A's and B's maps of cat and dog in 0..1 at the network's grid."""
    again = SeeNet(**{**bench.network.settings, "high": high, "low": low}).eval()
    again.load_state_dict(bench.network.state_dict())
    with torch.no_grad():
        seen = again.look(input_of(bench, image), TAGS)
    a, b = (in_unit_range(maps)[0, :2].numpy() for maps in (seen.maps_a, seen.maps_b))
    return a, b


def test_its_stages_come_in_order_and_take_the_place_of_the_common_zones(make: Make, image) -> None:
    made = list(make("seenet").inspect(image, [CAT, DOG]))
    assert [one.stage for one in made][:10] == [
        "image", "seenet.initial", "seenet.initial", "seenet.zones", "seenet.erased",
        "seenet.erased", "seenet.fused", "seenet.fused", "seenet.flipfused", "seenet.flipfused",
    ]  # fmt: skip
    assert "zones" not in [one.stage for one in made]
    assert {one.array.shape[:2] for one in made if one.array is not None} == {(48, 64)}


def test_its_maps_are_those_of_both_branches_fused_by_maximum_also_mirrored(
    make: Make, image
) -> None:
    bench = make("seenet")
    made = by_stage(bench.inspect(image, [CAT, DOG]))
    a, b = looked(bench, image)
    mirrored = np.maximum(*looked(bench, np.ascontiguousarray(image[:, ::-1])))[:, :, ::-1]
    fused = np.maximum(a, b)
    both = normalise(resize(np.maximum(fused, mirrored), (48, 64)))
    for column, tag in enumerate(("cat", "dog")):
        for stage, maps in (("initial", a), ("erased", b), ("fused", fused)):
            expected = resize(maps, (48, 64))[column]
            assert made[f"seenet.{stage}:{tag}"].array == pytest.approx(expected, abs=1e-5)
        assert made[f"seenet.flipfused:{tag}"].array == pytest.approx(both[column], abs=1e-5)
    assert (b != a).any()


def test_the_zones_are_the_ternary_mask_of_the_first_branch(make: Make, image) -> None:
    bench = make("seenet")
    chosen = Settings(high=0.8, low=0.3)
    zones = by_stage(bench.inspect(image, [CAT, DOG], chosen))["seenet.zones"]
    a, _ = looked(bench, image, high=0.8, low=0.3)
    expected = ternary_mask(a, 0.8, 0.3)
    side = 48 // expected.shape[0]
    assert np.array_equal(zones.array, np.kron(expected, np.ones((side, side), np.int8)))
    assert zones.numbers["attention"] == pytest.approx((expected == 0).mean())
    assert zones.details == {"erasing": "seenet"}


def test_moved_thresholds_run_the_second_branch_alone_and_change_what_it_finds(
    make: Make, image
) -> None:
    bench, caches = make("seenet"), Caches()
    network = bench.network
    count = Counted(trunk=network.backbone, a=network.head_a, b=network.head_b)
    before = by_stage(bench.inspect(image, [CAT, DOG], caches=caches))
    assert count.runs == {"trunk": 2, "a": 2, "b": 2}
    count.clear()
    chosen = Settings(high=0.3)
    after = by_stage(bench.inspect(image, [CAT, DOG], chosen, "high", caches=caches))
    assert count.runs == {"trunk": 0, "a": 0, "b": 2}
    assert next(iter(after)) == "seenet.zones"
    assert "seenet.initial:cat" not in after
    cold = by_stage(make("seenet").inspect(image, [CAT, DOG], chosen))
    assert (after["seenet.erased:cat"].array != before["seenet.erased:cat"].array).any()
    for stage, one in after.items():
        assert np.array_equal(one.array, cold[stage].array), stage


def test_the_thresholds_a_network_was_trained_with_are_where_it_starts(make: Make, image) -> None:
    bench = make("seenet", high=0.5, low=0.2)
    assert (bench.settings.high, bench.settings.low) == (0.5, 0.2)
    made = by_stage(bench.inspect(image, [CAT, DOG]))
    expected = ternary_mask(looked(bench, image)[0], 0.5, 0.2)
    assert made["seenet.zones"].numbers["attention"] == pytest.approx((expected == 0).mean())


def test_acol_erases_at_its_own_threshold_whatever_the_sliders_say(make: Make, image) -> None:
    bench = make("seenet", erasing="acol")
    one = by_stage(bench.inspect(image, [CAT], Settings(high=0.9)))["seenet.zones"]
    other = by_stage(bench.inspect(image, [CAT], Settings(high=0.2)))["seenet.zones"]
    assert np.array_equal(one.array, other.array)
    assert set(np.unique(one.array)) == {0, 1}
    assert "its own threshold" in one.caption


def test_a_zeroed_background_is_still_shown_as_background(make: Make, image) -> None:
    made = by_stage(make("seenet", erasing="zero").inspect(image, [CAT], Settings(low=0.3)))
    assert -1 in made["seenet.zones"].array
    assert "zeroes the background" in made["seenet.zones"].caption


def test_attention_that_is_zero_throughout_leaves_nothing_erased_and_is_explained(
    make: Make, image
) -> None:
    made = by_stage(make("seenet", nothing=True).inspect(image, [CAT]))
    for stage in ("initial", "erased", "fused", "flipfused"):
        assert not made[f"seenet.{stage}:cat"].array.any()
    assert "no sign of 'cat'" in made["seenet.initial:cat"].caption
    assert (made["seenet.zones"].array == 1).all()
    assert not made["fusion.dcsp"].array.any()


def test_a_tag_that_it_does_not_know_is_named_once_and_without_tags_every_stage_says_so(
    make: Make, image
) -> None:
    bench = make("seenet")
    notes = [one for one in bench.inspect(image, [CAT, HORSE]) if one.tag == "horse"]
    assert [one.stage for one in notes] == ["seenet.initial"]
    made = by_stage(bench.inspect(image, [HORSE]))
    for stage in ("seenet.initial", "seenet.zones", "seenet.flipfused", "fusion.seenet"):
        assert made[stage].kind == "note"


def test_another_tag_changes_the_zones_but_not_the_trunk(make: Make, image) -> None:
    bench, caches = make("seenet"), Caches()
    count = Counted(trunk=bench.network.backbone)
    one = by_stage(bench.inspect(image, [CAT], caches=caches))["seenet.zones"]
    other = by_stage(bench.inspect(image, [DOG], caches=caches))["seenet.zones"]
    assert (one.array != other.array).any()
    assert count.runs == {"trunk": 2}
