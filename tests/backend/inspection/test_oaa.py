"""OAA's accumulation as a run left it: passes and why they were refused, totals, what stands in."""

import json
from pathlib import Path

import numpy as np
import pytest

from backend.errors import DataError
from backend.history import (
    ACCUMULATED,
    NO_ATTENTION,
    NO_CLASS,
    REFUSED,
    WARM_UP,
    History,
    history_path,
    write_history,
)
from backend.inspection import Caches, Inspector, Settings
from backend.labels import write_heat
from backend.maps.attention import resize

from .conftest import CAT, DOG, Counted, Make, by_stage

COW = (10, "cow")
GRID = (3, 4)


def cells(*lit: tuple[int, int], value: int = 255) -> np.ndarray:
    heat = np.zeros(GRID, np.uint8)
    for place in lit:
        heat[place] = value
    return heat


def shown(heat: np.ndarray) -> np.ndarray:
    """A grid of 0..255 as the page has it."""
    return resize(heat[None] / np.float32(255), (48, 64))[0]


@pytest.fixture
def run(make: Make, tmp_path: Path) -> Inspector:
    """A run of five passes over `photo` (cat and dog): a warm-up, cat twice, dog refused, then dark
    for it; `told` was learnt from without a history; dog's gate never opened in `shut`."""
    bench = make("oaa")
    maps = np.zeros((5, 2, *GRID), np.uint8)
    maps[0, 0] = cells((0, 0))
    maps[1, 0] = cells((1, 1))
    maps[3, 0] = cells((2, 3), value=128)
    maps[:4, 1] = cells((2, 0))
    verdict = np.array(
        [[WARM_UP, WARM_UP], [ACCUMULATED, REFUSED], [REFUSED, REFUSED], [ACCUMULATED, REFUSED],
         [REFUSED, NO_ATTENTION]], np.uint8,
    )  # fmt: skip
    history = History(
        maps=maps,
        seen=np.ones((5, *GRID), bool),
        scores=np.array([[0, 0], [3, 1.2], [1, 0.5], [4, 0.1], [2, -1]], np.float32),
        rival=np.array([5, 2.3, 2.3, 2.3, 2.3], np.float32),
        rival_class=np.array([10] * 5, np.int16),
        verdict=verdict,
        class_ids=np.array([8, 12], np.int16),
    )
    write_history(history_path(tmp_path, "photo"), history)
    config = {"format": 1, "settings": {"fusion": "max", "gate": "strict"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    record = {"photo": {"cat": 2, "dog": 0}, "told": {"cat": 4, "dog": 0}}
    (tmp_path / "accumulated.json").write_text(json.dumps(record))
    write_heat(tmp_path / "maps" / "told" / "cat.png", cells((1, 2)) / 255)
    return bench


def test_a_pass_shows_what_it_saw_and_what_became_of_it(run: Inspector, image) -> None:
    made = by_stage(run.inspect(image, [CAT, DOG], Settings(oaa_pass=2), name="photo"))
    cat, dog = made["oaa.pass:cat"], made["oaa.pass:dog"]
    assert cat.array == pytest.approx(shown(cells((1, 1))))
    assert cat.caption == (
        "pass 2 of 5, accumulated: 'cat' scored 3.00, beside 'cow' 2.30, which is no tag"
    )
    assert dog.caption == (
        "pass 2 of 5, refused: 'dog' scored 1.20, not above 'cow' 2.30, which is no tag"
    )
    assert (dog.numbers["t"], dog.numbers["T"]) == (2, 5)
    assert dog.numbers["score"] == pytest.approx(1.2)
    assert dog.numbers["rival"] == pytest.approx(2.3)


def test_the_time_line_tells_every_pass_of_a_tag(run: Inspector, image) -> None:
    made = by_stage(run.inspect(image, [CAT, DOG], Settings(oaa_pass=1), name="photo"))
    cat = made["oaa.pass:cat"].details
    assert cat["verdicts"] == ["warm-up", "accumulated", "refused", "accumulated", "refused"]
    assert cat["scores"] == [0, 3, 1, 4, 2]
    assert cat["rival_classes"] == ["cow"] * 5
    assert made["oaa.pass:cat"].caption == f"pass 1 of 5, {cat['said']}"
    said = []
    for number in range(1, 6):
        one = by_stage(run.inspect(image, [CAT, DOG], Settings(oaa_pass=number), name="photo"))
        said.append(one["oaa.pass:cat"].details["said"])
    assert said[2] == "refused: 'cat' scored 1.00, not above 'cow' 2.30, which is no tag"
    # The page keeps room for this one, so that nothing moves.
    assert cat["longest"] == max(said, key=len)
    assert (cat["t"], cat["T"], cat["kept"]) == (1, 5, 2)
    assert made["oaa.pass:dog"].details["verdicts"][-1] == "no attention"
    assert made["oaa.pass:cat"].caption.startswith("pass 1 of 5, warm-up")
    json.dumps(cat)


@pytest.mark.parametrize(
    ("number", "lit", "passes"),
    [
        (1, cells(), 0),
        (2, cells((1, 1)), 1),
        (3, cells((1, 1)), 1),
        (4, cells((1, 1)) + cells((2, 3), value=128), 2),
        (0, cells((1, 1)) + cells((2, 3), value=128), 2),
        (99, cells((1, 1)) + cells((2, 3), value=128), 2),
    ],
)
def test_what_is_accumulated_up_to_a_pass_is_the_maximum_of_those_that_counted(
    run: Inspector, image, number: int, lit: np.ndarray, passes: int
) -> None:
    made = by_stage(run.inspect(image, [CAT], Settings(oaa_pass=number), name="photo"))
    one = made["oaa.accumulated:cat"]
    assert one.array == pytest.approx(shown(lit), abs=1e-6)
    assert one.numbers["passes"] == passes
    assert one.numbers["t"] == (min(number, 5) or 5)
    assert one.details == {"source": "history"}


def test_the_mean_can_be_asked_for_and_is_the_runs_own_where_it_was_trained_so(
    run: Inspector, image, tmp_path: Path
) -> None:
    mean = cells((1, 1)) / 2 + cells((2, 3), value=128) / 2
    (one,) = run.inspect(
        image, [CAT], Settings(oaa_fusion="mean"), name="photo", only=["oaa.accumulated"]
    )
    assert one.array == pytest.approx(shown(mean), abs=1e-6)
    config = {"format": 1, "settings": {"fusion": "mean"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (own,) = run.inspect(image, [CAT], name="photo", only=["oaa.accumulated"])
    assert np.array_equal(own.array, one.array)


def test_an_image_whose_gate_never_opened_has_the_final_networks_map_and_says_so(
    run: Inspector, image
) -> None:
    made = by_stage(run.inspect(image, [DOG], name="photo"))
    one = made["oaa.accumulated:dog"]
    assert one.details == {"source": "model"}
    assert "gate never opened" in one.caption
    assert "nothing was accumulated for 'dog'" in one.caption
    plain = by_stage(run.inspect(image, [DOG], Settings(method="cam")))["cam:dog"]
    grid = by_stage(run.inspect(image, [DOG], name="told"))["oaa.accumulated:dog"]
    assert np.array_equal(one.array, grid.array)
    assert np.corrcoef(one.array.ravel(), plain.array.ravel())[0, 1] > 0.95
    early = by_stage(run.inspect(image, [DOG], Settings(oaa_pass=3), name="photo"))
    assert not early["oaa.accumulated:dog"].array.any()
    assert "up to pass 3" in early["oaa.accumulated:dog"].caption


def test_the_final_networks_map_is_the_one_that_the_run_wrote_where_it_did(
    run: Inspector, image, tmp_path: Path
) -> None:
    write_heat(tmp_path / "maps" / "told" / "dog.png", cells((0, 3)) / 255)
    one = by_stage(run.inspect(image, [DOG], name="told"))["oaa.accumulated:dog"]
    assert one.array == pytest.approx(shown(cells((0, 3))), abs=1e-6)
    assert one.details == {"source": "model"}
    assert "gate never opened" in one.caption


def test_without_a_history_the_final_maps_of_the_run_are_shown(run: Inspector, image) -> None:
    made = by_stage(run.inspect(image, [CAT, DOG], name="told"))
    assert made["oaa.pass"].kind == "note"
    assert "kept no passes" in made["oaa.pass"].caption
    one = made["oaa.accumulated:cat"]
    assert one.array == pytest.approx(shown(cells((1, 2))), abs=1e-6)
    assert (one.details, one.numbers["passes"]) == ({"source": "maps"}, 4)
    assert "T" not in one.numbers
    assert made["oaa.accumulated:dog"].details == {"source": "model"}
    assert made["fusion.dcsp"].kind == "labels"


@pytest.mark.parametrize("name", ["stranger", None, "../photo"])
def test_an_image_that_the_run_did_not_learn_from_has_the_final_networks_map(
    run: Inspector, image, name: str | None
) -> None:
    made = by_stage(run.inspect(image, [CAT], name=name))
    assert "did not learn from this image" in made["oaa.pass"].caption
    one = made["oaa.accumulated:cat"]
    assert one.details == {"source": "model"}
    assert "did not learn from this image" in one.caption
    assert one.array.any()


def test_a_tag_that_the_image_did_not_have_then_is_told_from_one_that_was_refused(
    run: Inspector, image
) -> None:
    made = by_stage(run.inspect(image, [CAT, COW], name="photo"))
    assert "not tagged 'cow'" in made["oaa.pass:cow"].caption
    assert made["oaa.pass:cat"].kind == "heat"
    assert made["oaa.accumulated:cow"].details == {"source": "model"}


def test_the_other_gate_and_no_rival_have_their_own_reasons(
    run: Inspector, image, tmp_path: Path
) -> None:
    config = {"format": 1, "settings": {"gate": "topk"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    made = by_stage(run.inspect(image, [DOG], Settings(oaa_pass=2), name="photo"))
    assert made["oaa.pass:dog"].caption.endswith(
        "not among the 2 best classes; the best other is 'cow' 2.30, which is no tag"
    )
    alone = History(
        maps=np.full((1, 1, *GRID), 9, np.uint8), seen=np.ones((1, *GRID), bool),
        scores=np.ones((1, 1), np.float32), rival=np.zeros(1, np.float32),
        rival_class=np.full(1, NO_CLASS, np.int16), verdict=np.zeros((1, 1), np.uint8),
        class_ids=np.array([8], np.int16),
    )  # fmt: skip
    write_history(history_path(tmp_path, "alone"), alone)
    one = by_stage(run.inspect(image, [CAT], name="alone"))["oaa.pass:cat"]
    assert one.caption == "pass 1 of 1, accumulated: 'cat' scored 1.00"
    assert "rival" not in one.numbers
    assert one.details["rivals"] == [None]


def test_a_damaged_history_is_named_and_the_final_maps_stand_in(
    run: Inspector, image, tmp_path: Path
) -> None:
    history_path(tmp_path, "told").write_bytes(b"PK\x03\x04 and then nothing")
    made = by_stage(run.inspect(image, [CAT], name="told"))
    assert "cannot be read" in made["oaa.pass"].caption
    assert made["oaa.accumulated:cat"].details == {"source": "maps"}


def test_a_repaired_history_is_read_again_and_everything_after_it_made_anew(
    run: Inspector, image, tmp_path: Path
) -> None:
    path, caches = history_path(tmp_path, "photo"), Caches()
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    broken = by_stage(run.inspect(image, [CAT], caches=caches, name="photo"))
    told = broken["oaa.pass"].caption
    assert told.startswith(f"The history of photo in the run {tmp_path.name} cannot be read")
    assert str(tmp_path) not in told
    path.write_bytes(whole)
    healed = by_stage(run.inspect(image, [CAT], caches=caches, name="photo"))
    fresh = by_stage(run.inspect(image, [CAT], name="photo"))
    assert healed["oaa.pass:cat"].kind == "heat"
    assert healed["oaa.accumulated:cat"].details == {"source": "history"}
    for stage in ("oaa.pass:cat", "oaa.accumulated:cat", "zones", "fusion.dcsp", "fusion.oaa"):
        assert np.array_equal(healed[stage].array, fresh[stage].array), stage
    assert not np.array_equal(healed["zones"].array, broken["zones"].array)


def test_what_a_run_wrote_beside_its_histories_is_read_again_too(
    run: Inspector, image, tmp_path: Path
) -> None:
    caches = Caches()
    list(run.inspect(image, [CAT], caches=caches, name="told"))
    write_heat(tmp_path / "maps" / "told" / "cat.png", cells((0, 0), (2, 3)) / 255)
    moved = by_stage(run.inspect(image, [CAT], caches=caches, name="told"))
    assert moved["oaa.accumulated:cat"].array == pytest.approx(shown(cells((0, 0), (2, 3))))
    (tmp_path / "accumulated.json").write_text(json.dumps({"told": {"cat": 3}}))
    (one,) = run.inspect(image, [CAT], caches=caches, name="told", only=["oaa.accumulated"])
    assert one.numbers["passes"] == 3


def test_another_data_sets_image_of_the_same_name_does_not_get_this_ones_maps(
    run: Inspector, image
) -> None:
    wide = np.ascontiguousarray(image[:20])
    for name in ("photo", "told"):
        made = by_stage(run.inspect(wide, [CAT], name=name))
        assert made["oaa.accumulated:cat"].details == {"source": "model"}
    assert "another image" in by_stage(run.inspect(wide, [CAT], name="photo"))["oaa.pass"].caption


def test_playing_the_passes_runs_no_network_and_what_comes_after_follows(
    run: Inspector, image
) -> None:
    count, caches = Counted(trunk=run.network.backbone), Caches()
    masks = []
    for number in (2, 4, 1):
        chosen = Settings(oaa_pass=number)
        made = run.inspect(image, [CAT], chosen, "oaa_pass", caches, name="photo")
        masks.append(by_stage(made)["fusion.dcsp"].array)
    assert count.runs == {"trunk": 0}
    assert (masks[0] != masks[1]).any()
    assert not masks[2].any()


def test_the_weights_file_alone_is_looked_at_as_a_cam(make: Make, image) -> None:
    bench = make("oaa")
    bench.folder = None
    made = by_stage(bench.inspect(image, [CAT], name="photo"))
    assert "cam:cat" in made
    with pytest.raises(DataError, match="folder of the run"):
        list(bench.inspect(image, [CAT], Settings(method="oaa")))
