"""The attention methods on real photographs: a few passes over MSRC, and where the maps peak."""

from pathlib import Path

import numpy as np
import pytest

from backend.exchange.sources import Item, Source, open_source
from backend.images import read_image
from backend.inspection import Inspector, Settings
from backend.maps.attention import resize
from backend.saliency import saliency_source
from backend.weights import load
from training.cli import main

COUNT = 24
QUICK = ["--preset", "light", "--size", "128", "--batch", "8", "--epochs", "10"]
FAST = ["--watch-every", "-1", "--learning-rate", "6e-3", "--clip", "5", "--schedule", "poly"]


@pytest.fixture(scope="session")
def classifier(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of ten passes over 66 photographs."""
    out = tmp_path_factory.mktemp("runs") / "photographs"
    data = ["--data", str(shared_data / "msrc"), "--split", "val", "--out", str(out)]
    looks = ["--map-scales", "1", "--no-map-flip"]
    assert main(["classify", *data, *QUICK, *FAST, *looks]) == 0
    return out


def single_tags(source: Source) -> list[Item]:
    """Photographs of one tag whose object fills at most half of them."""
    found = [
        item
        for item in source.items
        if len(item.tags) == 1 and (source.truth(item) == item.tags[0]).mean() < 0.5
    ]
    return found[:COUNT]


@pytest.mark.parametrize("method", ["cam", "gradcam", "gradcampp", "layercam"])
def test_a_map_peaks_on_its_object_more_often_than_chance(
    shared_data: Path, classifier: Path, method: str
) -> None:
    source = open_source(shared_data / "msrc", "val").tagged()
    network, card = load(classifier)
    bench = Inspector(network, card, saliency_source("classical"))
    hits, chance = [], []
    for item in single_tags(source):
        tag = item.tags[0]
        made = bench.inspect(
            read_image(item.image),
            [(tag, source.classes[tag])],
            Settings(method=method),
            only=(method,),
        )
        heat = next(one.array for one in made)
        assert heat is not None
        assert 0 <= heat.min() <= heat.max() <= 1
        of_tag = source.truth(item) == tag
        heat = resize(heat[None], of_tag.shape)[0]
        hits.append(of_tag[np.unravel_index(heat.argmax(), heat.shape)])
        chance.append(of_tag.mean())
    assert len(hits) == COUNT
    assert np.mean(hits) > np.mean(chance) + 0.2
