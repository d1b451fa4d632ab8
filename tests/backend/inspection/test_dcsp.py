"""DCSP's own stages: its attention, its cues with saliency, what it segments itself."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from backend.inspection import Caches, Settings, Truth
from backend.inspection.scene import network_size
from backend.maps.attention import normalise, resize
from backend.maps.fusion import harmonic_mean

from .conftest import CAT, DOG, HORSE, Counted, Make, by_stage, input_of, middle

SCALES = (1.0, 0.75, 0.5)


def seen(bench, image) -> list:
    """The network's own output at each scale."""
    whole = input_of(bench, image)
    views = [
        functional.interpolate(whole, scale_factor=scale, mode="bilinear", antialias=True)
        for scale in SCALES
    ]
    with torch.no_grad():
        return [bench.network(view) for view in views]


def largest(maps: list[torch.Tensor]) -> np.ndarray:
    grid = maps[0].shape[2:]
    return np.max([resize(each[0].numpy(), tuple(grid)) for each in maps], axis=0)


def test_attention_is_the_largest_of_three_scales_each_tag_from_0_to_1(make: Make, image) -> None:
    bench = make("dcsp")
    made = by_stage(bench.inspect(image, [CAT, DOG]))
    looks = seen(bench, image)
    raw = largest([each.maps for each in looks])[:2]
    spread = np.ptp(raw, axis=(1, 2), keepdims=True)
    expected = normalise(resize((raw - raw.min(axis=(1, 2), keepdims=True)) / spread, (48, 64)))
    scores = looks[0].scores[0].sigmoid()
    for column, tag in enumerate(("cat", "dog")):
        one = made[f"dcsp.cam:{tag}"]
        assert one.array == pytest.approx(expected[column], abs=1e-4)
        assert one.numbers["score"] == pytest.approx(float(scores[column]), abs=1e-5)


def test_cues_are_the_harmonic_mean_that_the_fusion_cuts_at_gamma(make: Make, image) -> None:
    bench = make("dcsp")
    made = by_stage(bench.inspect(image, [CAT, DOG], Settings(gamma=0.5)))
    maps = np.stack([made[f"dcsp.cam:{tag}"].array for tag in ("cat", "dog")])
    means = harmonic_mean(normalise(maps, "minmax"), middle(image))
    for column, tag in enumerate(("cat", "dog")):
        one = made[f"dcsp.cues:{tag}"]
        assert one.array == pytest.approx(means[column], abs=1e-5)
        assert one.numbers["cues"] == pytest.approx((means[column] >= 0.5).mean())
    strongest = np.where(means.max(axis=0) >= 0.5, np.array([8, 12])[means.argmax(axis=0)], 0)
    assert np.array_equal(made["fusion.dcsp"].array, strongest)
    assert set(np.unique(strongest)) == {0, 8, 12}


def test_its_own_labels_are_the_strongest_of_background_and_tags(make: Make, image) -> None:
    bench = make("dcsp")
    one = by_stage(bench.inspect(image, [CAT, DOG]))["dcsp.segmentation"]
    logits = largest([each.segmentation for each in seen(bench, image)])[:3]
    expected = np.array([0, 8, 12])[resize(logits, (48, 64)).argmax(axis=0)]
    assert one.kind == "labels"
    assert (one.array == expected).mean() > 0.99
    assert one.numbers["cat"] == pytest.approx((one.array == 8).mean())
    # Of one tag the other can win no pixel, however strong it is.
    (alone,) = bench.inspect(image, [DOG], only=["dcsp.segmentation"])
    assert set(np.unique(alone.array)) <= {0, 12}


def test_where_the_truth_is_known_its_own_labels_are_held_against_it(make: Make, image) -> None:
    truth = np.full((48, 64), 8, np.uint8)
    (one,) = make("dcsp").inspect(
        image, [CAT, DOG], only=["dcsp.segmentation"], truth=Truth("t", lambda: truth, {8: "cat"})
    )
    assert one.details["iou"]["cat"] == pytest.approx((one.array == 8).mean())
    assert "mIoU" in one.caption


def test_the_network_runs_once_a_scale_however_the_settings_move(make: Make, image) -> None:
    bench, caches = make("dcsp"), Caches()
    count = Counted(trunk=bench.network.backbone)
    list(bench.inspect(image, [CAT, DOG], caches=caches))
    assert count.runs == {"trunk": 3}
    moved = Settings(gamma=0.6)
    warm = by_stage(bench.inspect(image, [CAT, DOG], moved, "gamma", caches=caches))
    assert count.runs == {"trunk": 3}
    cold = by_stage(make("dcsp").inspect(image, [CAT, DOG], moved))
    for stage, one in warm.items():
        assert np.array_equal(one.array, cold[stage].array), stage
    stages = bench.stages(moved, "gamma")
    assert {"dcsp.cues", "fusion.dcsp"} <= set(stages)
    assert not {"dcsp.cam", "dcsp.segmentation"} & set(stages)


def test_weights_that_learnt_the_tags_alone_say_so_and_keep_their_attention(
    make: Make, image
) -> None:
    made = by_stage(make("dcsp", segments=False).inspect(image, [CAT]))
    assert made["dcsp.segmentation"].kind == "note"
    assert "learnt the tags alone" in made["dcsp.segmentation"].caption
    assert made["dcsp.cam:cat"].array.max() == pytest.approx(1)
    assert made["fusion.dcsp"].array is not None


def test_an_unknown_tag_is_named_at_the_first_stage(make: Make, image) -> None:
    made = [one for one in make("dcsp").inspect(image, [CAT, HORSE]) if one.kind == "note"]
    assert (made[0].stage, made[0].tag) == ("dcsp.cam", "horse")


def test_its_class_maps_alone_are_offered_as_cam_and_to_gradients(make: Make, image) -> None:
    bench = make("dcsp")
    made = by_stage(bench.inspect(image, [CAT], Settings(method="cam")))
    own = normalise(resize(seen(bench, image)[0].maps[0, :1].numpy(), (48, 64)))
    assert made["cam:cat"].array == pytest.approx(own[0], abs=1e-4)
    assert by_stage(bench.inspect(image, [CAT], Settings(method="gradcam")))["gradcam:cat"]


def test_weights_for_images_of_their_own_size_see_them_so_up_to_a_limit() -> None:
    assert network_size((213, 320), 0) == (213, 320)
    assert network_size((1500, 2048), 0) == (750, 1024)
    assert network_size((213, 320), 224) == (224, 337)
