"""ECS-Net's own stages: what is erased, what is then seen, which pixels are trusted and why not."""

import numpy as np
import pytest
import torch

from backend.inspection import Caches, Settings, Truth
from backend.inspection.methods.ecsnet import ERASED, UNSURE
from backend.maps.attention import normalise, resize
from backend.networks.ecsnet import (
    blurred_inside,
    class_attention,
    reliable_labels,
    scaled,
    to_erase,
)

from .conftest import CAT, DOG, HORSE, Counted, Make, by_stage, input_of

TAGS = torch.tensor([[1.0, 1.0, 0.0]])


def test_every_step_is_the_networks_own_look(make: Make, image) -> None:
    bench = make("ecsnet")
    made = by_stage(bench.inspect(image, [CAT, DOG], Settings(reliable=0.6)))
    with torch.no_grad():
        network, whole = bench.network, input_of(bench, image)
        seen = network(scaled(whole, network.scale)).cam
        region = to_erase(seen, TAGS, network.erase, whole.shape[2:])
        left = blurred_inside(whole, region, network.sigma)
        of_erased = network(left).of(network.label_source)
        found = reliable_labels(of_erased, TAGS, region, 0.6)
    first, second = (class_attention(maps, TAGS)[0].numpy() for maps in (seen, of_erased))
    with torch.no_grad():
        whole = bench.network.attend(input_of(bench, image), TAGS).maps
    refined = normalise(resize(whole[0].numpy(), (48, 64)))
    for column, tag in enumerate(("cat", "dog")):
        for stage, maps in (("cam", first), ("erasedcam", second)):
            expected = resize(maps, (48, 64))[column]
            assert made[f"ecsnet.{stage}:{tag}"].array == pytest.approx(expected, abs=1e-5)
        assert made[f"ecsnet.refined:{tag}"].array == pytest.approx(refined[column], abs=1e-5)
    region = region[0, 0].numpy()
    erased = made["ecsnet.erased"].array
    assert np.array_equal(erased[~region], image[~region])
    # the network saw the same blur: its own picture and ours agree to a rounding
    own = left[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(erased - own).mean() < 2
    assert made["ecsnet.erased"].numbers["share"] == pytest.approx(region.mean())
    side = 48 // found.labels.shape[1]
    kept = np.kron(np.where(found.reliable[0], found.labels[0], 0), np.ones((side, side), int))
    codes = made["ecsnet.reliable"].array
    assert np.array_equal(np.where((codes > 0) & (codes < ERASED), codes, 0), kept)


def test_a_moved_reliable_threshold_runs_no_pass_and_an_erasing_one_only_the_second(
    make: Make, image
) -> None:
    bench, caches = make("ecsnet"), Caches()
    count = Counted(trunk=bench.network.backbone)
    passes = []
    original = bench.network.backbone.taps
    bench.network.backbone.taps = lambda images: passes.append(images.shape) or original(images)
    list(bench.inspect(image, [CAT, DOG], caches=caches))
    # Two looks at the image, one of them at full size for the final map, and one at what is left.
    assert (len(passes), count.runs) == (2, {"trunk": 1})
    for moved, after, runs in (
        ({"reliable": 0.5}, "reliable", (2, 1)),
        ({"erase": 0.4}, "erase", (2, 2)),
        ({"erase": 0.4, "sigma": 0.05}, "sigma", (2, 3)),
        ({"erase": 0.4, "sigma": 0.05, "scale": 1.0}, "scale", (3, 4)),
        ({"erase": 0.4, "sigma": 0.05, "scale": 1.0, "gamma": 0.1}, "gamma", (3, 4)),
    ):
        chosen = Settings(**moved)
        warm = by_stage(bench.inspect(image, [CAT, DOG], chosen, after, caches=caches))
        assert (len(passes), count.runs["trunk"]) == runs, after
        cold = by_stage(make("ecsnet").inspect(image, [CAT, DOG], chosen))
        for stage, one in warm.items():
            assert np.array_equal(one.array, cold[stage].array), (after, stage)
    assert passes[0][2:] == (32, 32)
    assert passes[1][2:] == (48, 64)


def test_only_what_stands_after_each_number_is_made_again(make: Make) -> None:
    bench = make("ecsnet")
    stages = {name: bench.stages(Settings(), name) for name in ("reliable", "sigma", "scale")}
    assert stages["reliable"] == ["ecsnet.reliable"]
    assert stages["sigma"] == ["ecsnet.erased", "ecsnet.erasedcam", "ecsnet.reliable"]
    assert stages["scale"] == [
        "ecsnet.cam", "ecsnet.erased", "ecsnet.erasedcam", "ecsnet.reliable",
    ]  # fmt: skip


def test_each_pixel_is_kept_or_removed_by_a_rule_and_the_legend_adds_up(make: Make, image) -> None:
    made = by_stage(make("ecsnet").inspect(image, [CAT, DOG], Settings(reliable=0.7)))
    one = made["ecsnet.reliable"]
    assert one.kind == "reliable"
    legend = {each["code"]: each for each in one.details["legend"]}
    assert set(np.unique(one.array)) <= set(legend)
    assert sum(each["share"] for each in legend.values()) == pytest.approx(1)
    for code, each in legend.items():
        assert each["share"] == pytest.approx((one.array == code).mean())
    assert (legend[1]["tag"], legend[1]["id"], legend[2]["tag"]) == ("cat", 8, "dog")
    # what the erasing alone removes is what was erased, grown to whole cells
    assert one.details["alone"]["erased"] == pytest.approx((one.array == ERASED).mean())
    assert one.details["alone"]["erased"] >= made["ecsnet.erased"].numbers["share"]


def test_the_caption_counts_each_pixel_once_as_the_legend_does(make: Make, image) -> None:
    (one,) = make("ecsnet").inspect(image, [CAT, DOG], only=["ecsnet.reliable"])
    _, removed = one.caption.split("removed, each pixel by the first rule: ")
    legend = [each for each in one.details["legend"] if each["what"] != "kept"]
    assert removed == ", ".join(f"{each['what']} {each['share']:.0%}" for each in legend)
    alone = one.details["alone"]
    # Under the threshold of one half a pixel is background and unsure: rules do overlap.
    assert alone["unsure"] > next(e["share"] for e in legend if e["what"] == "unsure")


def test_a_higher_threshold_never_trusts_a_pixel_more(make: Make, image) -> None:
    bench, caches = make("ecsnet"), Caches()
    kept = []
    for threshold in (0.5, 0.7, 0.9):
        (one,) = bench.inspect(
            image, [CAT, DOG], Settings(reliable=threshold), caches=caches, only=["ecsnet.reliable"]
        )
        kept.append((one.array > 0) & (one.array < ERASED))
    assert kept[0].any()
    assert not (kept[1] & ~kept[0]).any()
    assert not (kept[2] & ~kept[1]).any()
    assert UNSURE in one.array


def test_a_set_without_a_pixel_says_that_it_adds_no_loss(make: Make, image) -> None:
    (one,) = make("ecsnet").inspect(image, [CAT], Settings(reliable=1), only=["ecsnet.reliable"])
    assert "adds no segmentation loss" in one.caption
    assert one.numbers == {"kept": 0.0}


def test_attention_that_is_zero_throughout_erases_nothing_and_keeps_nothing(
    make: Make, image
) -> None:
    made = by_stage(make("ecsnet", nothing=True).inspect(image, [CAT]))
    assert "Nothing was erased" in made["ecsnet.erased"].caption
    assert np.array_equal(made["ecsnet.erased"].array, image)
    assert "adds no segmentation loss" in made["ecsnet.reliable"].caption
    assert "no sign of 'cat'" in made["ecsnet.cam:cat"].caption
    assert not made["fusion.dcsp"].array.any()


def test_without_a_refine_module_the_map_is_the_cam_and_says_so(make: Make, image) -> None:
    made = by_stage(make("ecsnet", refine=False).inspect(image, [CAT]))
    assert "no refine module" in made["ecsnet.refined:cat"].caption


def test_what_a_network_was_trained_with_is_where_it_starts(make: Make, image) -> None:
    bench = make("ecsnet", scale=1.0, reliable=0.5, erase=0.7, sigma=0.03)
    found = bench.settings
    assert (found.scale, found.reliable, found.erase, found.sigma) == (1.0, 0.5, 0.7, 0.03)
    made = by_stage(bench.inspect(image, [CAT]))
    assert made["ecsnet.erased"].numbers["sigma"] == pytest.approx(0.03 * 48)


def test_an_unknown_tag_is_named_at_the_first_stage(make: Make, image) -> None:
    made = [one for one in make("ecsnet").inspect(image, [CAT, HORSE]) if one.kind == "note"]
    assert (made[0].stage, made[0].tag) == ("ecsnet.cam", "horse")


def test_where_the_truth_is_known_the_kept_pixels_are_held_against_it(make: Make, image) -> None:
    bench, chosen = make("ecsnet"), Settings(reliable=0.5)
    truth = np.full((48, 64), 8, np.uint8)
    truth[:, 32:] = 12
    truth[:10] = 255
    only = ["ecsnet.reliable"]
    (one,) = bench.inspect(
        image, [CAT, DOG], chosen, only=only, truth=Truth("t", lambda: truth, {8: "cat", 12: "dog"})
    )
    kept, known = (one.array > 0) & (one.array < ERASED), truth != 255
    right = (one.array == 1) & (truth == 8) | (one.array == 2) & (truth == 12)
    assert one.details["precision"] == pytest.approx(right[known].sum() / (kept & known).sum())
    assert "of them right" in one.caption
    (without,) = bench.inspect(image, [CAT, DOG], chosen, only=only)
    assert "precision" not in without.details
