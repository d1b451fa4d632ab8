"""Batches: every image once an epoch, the same ones from any batch on and with any workers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.errors import ImageError
from backend.exchange.sources import open_source
from training.data import Batch, Batches, TaggedImages, tag_matrix
from training.views import Augmentation, View, choose_view

HOW = Augmentation(24, "area", least=0.5, jitter=0.2)


def dataset(root: Path, **keywords: object) -> TaggedImages:
    return TaggedImages(open_source(root), [8, 12], HOW, **keywords)


def assert_same(one: Batch, other: Batch) -> None:
    for a, b in zip(one[:4], other[:4], strict=True):
        assert torch.equal(a, b)


def test_tags_are_columns_in_the_order_of_the_ids(tiny_voc: Path):
    items = open_source(tiny_voc).items[:3]
    assert tag_matrix(items, [8, 12]).tolist() == [[1, 0], [0, 1], [1, 1]]
    assert tag_matrix(items, [12]).tolist() == [[0], [1], [1]]


def test_every_image_comes_once_an_epoch_in_another_order(tiny_voc: Path):
    batches = Batches(dataset(tiny_voc), 3, seed=0)
    first = torch.cat([batch.indices for batch in batches.epoch(0)]).tolist()
    second = torch.cat([batch.indices for batch in batches.epoch(1)]).tolist()
    assert sorted(first) == sorted(second) == list(range(8))
    assert first != second
    assert len(batches) == 3


def test_an_epoch_goes_on_from_any_batch_as_it_would_have(tiny_voc: Path):
    whole = list(Batches(dataset(tiny_voc), 3, seed=5).epoch(4))
    rest = list(Batches(dataset(tiny_voc, cache_bytes=1 << 20), 3, seed=5).epoch(4, start=1))
    assert len(rest) == 2
    for one, other in zip(whole[1:], rest, strict=True):
        assert_same(one, other)


def test_batches_know_their_epoch_and_the_view_of_each_sample(tiny_voc: Path):
    """What accumulation stands on: which pass this is, and where a sample lies in its image."""
    batches = Batches(dataset(tiny_voc), 3, seed=5)
    flips = set()
    for epoch, start in ((0, 0), (7, 2)):
        for batch in batches.epoch(epoch, start):
            assert batches.current_epoch == epoch
            for index, row in zip(batch.indices.tolist(), batch.views, strict=True):
                random = np.random.default_rng((5, epoch, index))
                expected = choose_view(48, 48, HOW, random)
                assert View.of(row) == pytest.approx(expected, abs=1e-6)
                assert isinstance(View.of(row).flip, bool)
                flips.add(View.of(row).flip)
    assert flips == {False, True}


def test_workers_change_nothing_but_the_time(tiny_voc: Path):
    alone = list(Batches(dataset(tiny_voc), 4, seed=1).epoch(0))
    helped = list(Batches(dataset(tiny_voc), 4, seed=1, workers=1).epoch(0))
    for one, other in zip(alone, helped, strict=True):
        assert_same(one, other)


def test_another_seed_shows_other_views(tiny_voc: Path):
    one = next(iter(Batches(dataset(tiny_voc), 8, seed=0).epoch(0)))
    other = next(iter(Batches(dataset(tiny_voc), 8, seed=1).epoch(0)))
    order = [one.indices.tolist().index(index) for index in other.indices.tolist()]
    assert not torch.equal(one.views[order], other.views)


def test_ranks_share_an_epoch_without_overlap(tiny_voc: Path):
    data = dataset(tiny_voc)
    parts = [
        torch.cat([b.indices for b in Batches(data, 2, 0, rank=rank, ranks=2).epoch(0)]).tolist()
        for rank in (0, 1)
    ]
    assert len(parts[0]) == len(parts[1]) == 4
    assert sorted(parts[0] + parts[1]) == list(range(8))


def test_the_cache_keeps_to_its_room(tiny_voc: Path):
    one_image = 24 * 24 * 3 * 2  # 24 pixels a side, over the square root of the least area 0.5
    data = dataset(tiny_voc, cache_bytes=3 * one_image)
    for _ in Batches(data, 8, 0).epoch(0):
        pass
    assert 1 <= len(data._kept) <= 3


def test_masks_are_batched_and_images_without_one_are_all_ignore(tiny_voc: Path):
    source = open_source(tiny_voc)
    items = [replace(item, mask=item.truth) for item in source.items[:2]]
    source = replace(source, items=[*items, source.items[2]])
    how = Augmentation(48, flip=False)
    batch = next(Batches(TaggedImages(source, [8, 12], how, masks=True), 3, 0).epoch(0))
    assert batch.masks is not None
    assert batch.masks.dtype == torch.int64
    by_index = dict(zip(batch.indices.tolist(), batch.masks, strict=True))
    assert np.array_equal(by_index[0].numpy(), source.mask(items[0]))
    assert bool((by_index[2] == 255).all())


def test_without_masks_asked_for_there_are_none(tiny_voc: Path):
    assert next(Batches(dataset(tiny_voc), 8, 0).epoch(0)).masks is None


def test_an_unreadable_image_is_named(tiny_voc: Path, tmp_path: Path):
    source = open_source(tiny_voc)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 not all of it")
    source = replace(source, items=[replace(source.items[0], image=broken)])
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        next(Batches(TaggedImages(source, [8], HOW), 1, 0).epoch(0))
