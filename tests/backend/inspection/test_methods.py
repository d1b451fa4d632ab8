"""Which methods there are, which weights take which, and what two of them share."""

import threading
import time

import numpy as np
import pytest
import torch

from backend.errors import DataError
from backend.inspection import (
    METHODS,
    Caches,
    Kept,
    Settings,
    method_for,
    methods_for,
    stages_of,
)
from backend.inspection.kept import bytes_of
from backend.inspection.methods.method import OUR_KINDS
from backend.maps.attention import normalise, resize
from backend.saliency import SaliencySource
from training.recipes.labels import METHODS as OF_THE_RECIPE

from .conftest import CAT, DOG, Counted, Make, by_stage, input_of, middle

GRADIENT = ["gradcam", "gradcampp", "layercam"]


@pytest.mark.parametrize("kind", OUR_KINDS)
def test_each_kind_of_weights_has_its_own_method_first(kind: str, tmp_path) -> None:
    own = [] if kind == "cam" else [kind]
    assert methods_for(kind, tmp_path) == [*own, "cam", *GRADIENT]
    assert methods_for("oaa") == ["cam", *GRADIENT]
    assert methods_for("classifier") == GRADIENT
    assert methods_for("saliency") == methods_for("segmenter") == []


@pytest.mark.parametrize("name", METHODS)
def test_every_table_begins_with_the_image_and_needs_only_what_stands_before(name: str) -> None:
    method = METHODS[name]
    stages = stages_of(method)
    assert next(iter(stages)) == "image"
    assert stages[method.final].per_tag
    before: set[str] = set()
    for stage, each in stages.items():
        assert set(each.needs) <= before, stage
        assert set(each.reads) <= set(vars(Settings()))
        before.add(stage)
    assert ("zones" in stages) == (name != "seenet")


def test_a_method_that_does_not_fit_names_those_that_do(make: Make, image) -> None:
    bench = make("cam")
    with pytest.raises(DataError, match=r"SeeNet works with .*seenet.* take cam, gradcam"):
        list(bench.inspect(image, [CAT], Settings(method="seenet")))
    with pytest.raises(DataError, match="no attention method 'sea'; there are seenet"):
        method_for("sea", bench.card)


def test_the_recipe_offers_the_methods_that_there_are() -> None:
    assert set(OF_THE_RECIPE) == {"own", *METHODS}


@pytest.mark.parametrize("kind", ["oaaplus", "cam"])
def test_oaaplus_and_cam_show_what_the_network_gives(make: Make, image, kind: str) -> None:
    bench = make(kind)
    made = by_stage(bench.inspect(image, [CAT, DOG]))
    one = made[f"{kind}:cat"]
    assert one.array.max() == pytest.approx(1)
    assert 0 < one.numbers["score"] < 1
    assert made["zones"].kind == "zones"


def test_oaaplus_shows_the_probabilities_that_its_network_exports(make: Make, image) -> None:
    bench = make("oaaplus")
    made = by_stage(bench.inspect(image, [CAT, DOG]))
    tags = torch.tensor([[1.0, 1.0, 0.0]])
    with torch.no_grad():
        own = bench.network.attend(input_of(bench, image), tags).maps[0, :2].numpy()
    for column, tag in enumerate(("cat", "dog")):
        peak = made[f"oaaplus:{tag}"].numbers["score"]
        assert peak == pytest.approx(own[column].max(), abs=1e-5)
        expected = normalise(resize(own[column][None], image.shape[:2]))[0]
        assert made[f"oaaplus:{tag}"].array == pytest.approx(expected, abs=1e-4)


def test_oaaplus_without_a_likely_pixel_is_explained(make: Make, image) -> None:
    made = by_stage(make("oaaplus", nothing=True).inspect(image, [CAT]))
    assert "No pixel is likelier 'cat' than not" in made["oaaplus:cat"].caption


@pytest.mark.parametrize("kind", ["seenet", "ecsnet"])
def test_the_cam_of_a_larger_network_is_one_branch_of_it(make: Make, image, kind: str) -> None:
    bench = make(kind)
    count = Counted(trunk=bench.network.backbone)
    made = by_stage(bench.inspect(image, [CAT], Settings(method="cam")))
    assert made["cam:cat"].array.any()
    assert count.runs == {"trunk": 1}


def test_two_methods_on_one_image_keep_their_maps_apart_and_share_its_saliency(
    make: Make, image
) -> None:
    looks = []

    def detect(pixels: np.ndarray) -> np.ndarray:
        looks.append(1)
        return middle(pixels)

    bench = make("seenet")
    bench.saliency = SaliencySource("middle", "test", detector=detect)
    shared, weights = Kept(), Kept()
    kept = {name: Caches(shared, weights, Kept()) for name in ("seenet", "cam", "layercam")}
    count = Counted(trunk=bench.network.backbone)
    first = {
        name: by_stage(bench.inspect(image, [CAT], Settings(method=name), caches=kept[name]))
        for name in kept
    }
    assert len(looks) == 1
    ran = count.runs["trunk"]
    for name, caches in kept.items():
        chosen = Settings(method=name)
        again = by_stage(bench.inspect(image, [CAT], chosen, caches=caches))
        for stage, one in again.items():
            assert np.array_equal(one.array, first[name][stage].array), (name, stage)
    assert count.runs["trunk"] == ran


def test_methods_that_are_given_one_cache_by_mistake_bring_none_of_the_others_maps(
    make: Make, image
) -> None:
    bench, caches = make("seenet"), Caches()
    for name in ("seenet", "cam", "layercam", "seenet"):
        chosen = Settings(method=name)
        warm = by_stage(bench.inspect(image, [CAT], chosen, caches=caches))
        cold = by_stage(bench.inspect(image, [CAT], chosen))
        for stage, one in warm.items():
            assert np.array_equal(one.array, cold[stage].array), (name, stage)


def test_what_two_threads_want_is_made_by_one_and_waited_for_by_the_other() -> None:
    kept, made, answers = Kept(), [], []

    def make_it() -> int:
        made.append(1)
        time.sleep(0.05)
        return 7

    def ask() -> None:
        answers.append(kept.keep("value", "key", make_it))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (made, answers) == ([1], [7] * 4)


def test_what_could_not_be_made_is_not_kept() -> None:
    kept = Kept()

    def fail() -> int:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        kept.keep("value", 1, fail)
    assert kept.keep("value", 1, lambda: 3) == 3


def test_the_bytes_of_arrays_and_tensors_are_counted_wherever_they_are(make: Make, image) -> None:
    array, tensor = np.zeros((2, 3), np.float32), torch.zeros(5)
    assert bytes_of([array, (tensor, {"a": array}), "text", 3]) == 24 + 20 + 24
    bench, caches = make("seenet"), Caches()
    list(bench.inspect(image, [CAT], caches=caches))
    features = 128 * 12 * 16 * 4
    assert caches.weights.nbytes > 2 * features
    assert caches.nbytes == caches.image.nbytes + caches.weights.nbytes + caches.method.nbytes


def test_a_network_stays_in_evaluation_mode_whatever_looked_through_it(make: Make, image) -> None:
    bench = make("ecsnet", dropout=0.5)
    one = by_stage(bench.inspect(image, [CAT], Settings(method="gradcampp")))
    other = by_stage(bench.inspect(image, [CAT], Settings(method="gradcampp")))
    assert np.array_equal(one["gradcampp:cat"].array, other["gradcampp:cat"].array)
    assert not any(module.training for module in bench.network.modules())
