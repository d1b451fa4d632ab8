"""The training set of a mask scorer: kinds, numbers, scores taken anew, the same for one seed."""

from pathlib import Path

import numpy as np
import pytest

from backend.maps.scoring import boundary_accuracy
from backend.reference_masks import ReferenceMaker
from backend.saliency import saliency_source
from training.candidate_masks import Candidate, look_through, open_labelled
from training.errors import TrainingError
from training.options import settle
from training.recipes.scorer import Scorer
from training.references import References
from training.run import Run
from training.scored_masks import Measure
from training.scorer_samples import Augmented, ScorerSamples, Views
from training.scorer_set import KINDS, Sample, samples_of

from .conftest import paint_voc
from .scoring import label_run, saliency_maps

SIZE = 24


def settings(**more: object) -> Scorer:
    counts = {"high": 5, "low": 2, "changed": 6, "composites": 4, "grown": 3, "swapped": 2}
    return settle(Scorer, "paper", {**counts, **more})


def candidates(*scores: float) -> list[Candidate]:
    return [Candidate(f"im{place}", 0, None, ac, 1.0, None) for place, ac in enumerate(scores)]


def kinds(samples: list[Sample]) -> dict[str, int]:
    return {kind: sum(sample.kind == kind for sample in samples) for kind in KINDS}


def test_each_kind_is_made_of_masks_of_its_scores():
    made, lacking = samples_of(
        candidates(0.95, 0.85, 0.6, 0.2, 0.92, 0.1, 0.81), settings(high=4), 0
    )
    assert kinds(made) == {
        "high": 4, "low": 2, "changed": 6, "composites": 4, "grown": 3, "swapped": 2
    }  # fmt: skip
    assert lacking == []
    for sample in made:
        if sample.kind in ("high", "changed", "grown"):
            assert sample.one in (0, 1, 4, 6)
        if sample.kind == "low":
            assert sample.one in (3, 5)
        if sample.kind == "composites":
            assert sample.other in (0, 4)
            assert sample.one in (0, 1, 2, 4, 6)
            assert sample.one != sample.other
    # Six copies of four masks: none is copied more than twice.
    copies = [sample.one for sample in made if sample.kind == "changed"]
    assert max(map(copies.count, copies)) == 2


def test_what_lacks_masks_is_said_and_the_rest_is_made():
    made, lacking = samples_of(candidates(0.85, 0.5, 0.82), settings(), 0)
    assert kinds(made) == {
        "high": 2, "low": 0, "changed": 6, "composites": 0, "grown": 3, "swapped": 2
    }  # fmt: skip
    assert lacking[0] == (
        "The training set has 2 samples of the kind high, not 5; masks with an AC of at least "
        "0.8: 2."
    )
    assert [sentence.split("kind ")[1].split(",")[0] for sentence in lacking] == [
        "high", "low", "composites"
    ]  # fmt: skip


def test_a_set_of_nothing_is_refused():
    with pytest.raises(TrainingError, match="None of the 2 masks can teach a scorer"):
        samples_of(candidates(0.5, 0.6), settings(swapped=0), 0)


def test_one_seed_makes_one_set():
    found = candidates(*np.random.default_rng(0).random(40))
    assert samples_of(found, settings(), 3) == samples_of(found, settings(), 3)
    assert samples_of(found, settings(), 3) != samples_of(found, settings(), 4)


@pytest.fixture
def opened(tmp_path: Path) -> tuple[Views, list[Candidate]]:
    data = paint_voc(tmp_path / "data", count=12)
    maps = saliency_maps(data, tmp_path / "maps")
    out = tmp_path / "out"
    out.mkdir()
    run = Run("scorer", out, data)
    labelled = open_labelled(run, [str(label_run(data, tmp_path / "labels"))])
    references = References(out, ReferenceMaker(saliency_source(f"folder:{maps}")))
    found = look_through(run, labelled, references, Measure(), 1)
    return Views(labelled, references, Measure(), SIZE, 1 << 20), found


def dataset(opened: tuple[Views, list[Candidate]], how: Augmented | None = None) -> ScorerSamples:
    views, found = opened
    made, _ = samples_of(found, settings(high=6, low=3, changed=12, composites=8), 0)
    return ScorerSamples(views, found, made, 0, (0.3, 0.8), how or Augmented())


def test_scores_are_those_of_the_masks_that_were_made(opened: tuple[Views, list[Candidate]]):
    samples = dataset(opened)
    _, found = opened
    for index, sample in enumerate(samples.samples):
        view, ac = samples.made(index)
        if sample.kind in ("high", "low"):
            assert ac == found[sample.one].ac
            assert boundary_accuracy(view.mask, view.reference) == pytest.approx(ac, abs=0.12)
        else:
            assert ac == pytest.approx(boundary_accuracy(view.mask, view.reference))
        if sample.kind == "changed":
            assert 0.25 <= ac <= 0.85
        batch = samples[index, (0, 0, index)]
        assert (batch.images.numpy().transpose(1, 2, 0) == view.image).all()
        assert (batch.masks.numpy() == view.mask).all()
        assert batch.tags.tolist() == [pytest.approx(ac)]


def test_a_sample_is_the_same_each_time_and_anew_each_epoch_where_asked(
    opened: tuple[Views, list[Candidate]],
):
    fixed, anew = dataset(opened), dataset(opened, Augmented(redraw=True))
    index = next(n for n, sample in enumerate(fixed.samples) if sample.kind == "composites")
    first = [each[index, (0, epoch, index)] for each in (fixed, anew) for epoch in (0, 1)]
    again = [each[index, (0, epoch, index)] for each in (fixed, anew) for epoch in (0, 1)]
    for one, two in zip(first, again, strict=True):
        assert (one.images == two.images).all()
    assert (first[0].images == first[1].images).all()
    assert not (first[2].images == first[3].images).all()


def test_mirrored_samples_mirror_image_and_mask_alike(opened: tuple[Views, list[Candidate]]):
    samples, plain = dataset(opened, Augmented(flip=True)), dataset(opened)
    turned = 0
    for epoch in range(12):
        one, two = samples[0, (0, epoch, 0)], plain[0, (0, epoch, 0)]
        if (one.images == two.images).all():
            assert (one.masks == two.masks).all()
        else:
            turned += 1
            assert (one.images == two.images.flip(-1)).all()
            assert (one.masks == two.masks.flip(-1)).all()
    assert 2 <= turned <= 10


def test_only_so_many_views_stay_in_memory(opened: tuple[Views, list[Candidate]]):
    views, found = opened
    a_view = SIZE * SIZE * 5
    small = Views(views.labelled, views.references, Measure(), SIZE, 3 * a_view)
    for each in found:
        small.of(each)
    assert len(small._kept) == 3
    assert (small.of(found[-1]).image == views.of(found[-1]).image).all()


def test_the_tenths_count_every_sample(opened: tuple[Views, list[Candidate]]):
    samples = dataset(opened)
    counted = list(samples.counted())
    assert len(counted) == len(samples)
    high = [tenth for kind, tenth in counted if kind == "high"]
    assert all(tenth >= 8 for tenth in high)
