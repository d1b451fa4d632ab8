"""Saliency: the detector without weights on pictures with a known answer, and folders of maps."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse.csgraph import dijkstra

from backend.errors import SaliencyError
from backend.saliency import classical, folder, saliency_source
from backend.saliency_barrier import barrier_distance, border_contrast, grow, stretch, sweep
from backend.saliency_classical import neighbours, segment


def disc(side: int = 96, at: tuple[int, int] = (48, 48), radius: int = 20) -> np.ndarray:
    """A red disc on noisy green."""
    rng = np.random.default_rng(0)
    image = rng.integers(-12, 13, (side, side, 3)) + np.array([60, 140, 60])
    rows, columns = np.mgrid[:side, :side]
    image[(rows - at[0]) ** 2 + (columns - at[1]) ** 2 < radius**2] += (140, -100, -30)
    return np.clip(image, 0, 255).astype(np.uint8)


def test_a_disc_on_grass_stands_out_and_the_grass_does_not() -> None:
    heat = classical(disc())
    rows, columns = np.mgrid[:96, :96]
    distance = np.hypot(rows - 48, columns - 48)
    assert heat.dtype == np.float32
    assert heat[distance < 17].min() > 0.9
    assert heat[distance > 24].max() < 0.1


def test_an_object_away_from_the_middle_is_found_too() -> None:
    heat = classical(disc(at=(30, 64), radius=14))
    peak = np.unravel_index(int(heat.argmax()), heat.shape)
    assert np.hypot(peak[0] - 30, peak[1] - 64) < 14


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (8, 8), (300, 5), (213, 320)])
def test_every_size_gives_a_map_of_its_size(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    heat = classical(image)
    assert heat.shape == shape
    assert 0 <= heat.min() <= heat.max() <= 1


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_image_has_nothing_salient(level: int) -> None:
    assert not classical(np.full((40, 60, 3), level, np.uint8)).any()


def test_the_same_image_gives_the_same_map() -> None:
    image = disc()
    assert np.array_equal(classical(image), classical(image.copy()))


def test_mirrored_images_give_nearly_mirrored_maps() -> None:
    image = disc(at=(40, 60), radius=16)
    apart = np.abs(classical(image)[:, ::-1] - classical(image[:, ::-1].copy()))
    assert apart.mean() < 0.02


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_rgb_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(SaliencyError, match=r"uint8 \(H,W,3\)"):
        classical(image)


def test_photographs_are_told_better_than_by_their_middle(shared_data: Path) -> None:
    paths = sorted((shared_data / "ecssd" / "images").glob("*.jpg"))[1::50]
    errors = []
    for path in paths:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        mask = cv2.imread(str(shared_data / "ecssd" / "masks" / f"{path.stem}.png"), 0) > 127
        errors.append(float(np.abs(classical(image) - mask).mean()))
    # The middle alone errs by 0.32 on this set; the detector by 0.17.
    assert np.mean(errors) < 0.22


def minimax_reference(values: np.ndarray) -> np.ndarray:
    """The barrier distance by trying every pair of bounds: reachable inside [low, high] or not."""
    height, width = values.shape
    best = np.full(values.shape, np.inf)
    for low in np.unique(values):
        for high in np.unique(values[values >= low]):
            open_ = (values >= low) & (values <= high)
            reached = open_.copy()
            reached[1:-1, 1:-1] = False
            for _ in range(height * width):
                grown = cv2.dilate(
                    reached.astype(np.uint8), np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
                )
                grown = (grown > 0) & open_
                if np.array_equal(grown, reached):
                    break
                reached = grown
            best[reached] = np.minimum(best[reached], high - low)
    return best


@settings(max_examples=25, deadline=None)
@given(arrays(np.float32, (6, 7), elements=st.integers(0, 4).map(float)))
def test_swept_barriers_are_never_below_the_true_ones_and_mostly_equal(values: np.ndarray) -> None:
    # The sweeps keep one path per pixel, so they may miss the best (Zhang et al., section 3.2).
    lab = np.repeat(values[:, :, None], 3, axis=2)
    swept = barrier_distance(lab, rounds=3) / 3
    true = minimax_reference(values)
    assert (swept >= true - 1e-6).all()
    assert (np.abs(swept - true) < 1e-6).mean() >= 0.8


def test_a_wall_is_the_barrier_of_what_it_encloses() -> None:
    values = np.zeros((7, 7, 3), np.float32)
    values[2:5, 2:5] = 5
    values[3, 3] = 2
    distance = barrier_distance(values)
    assert distance[3, 3] == 15
    assert distance[2, 2] == 15
    assert distance[1, 1] == 0


def test_a_sweep_takes_over_only_lower_barriers() -> None:
    values = np.array([[1.0, 1.0], [4.0, 1.0]], np.float32)
    distance = np.array([[0.0, 0.0], [2.0, 9.0]], np.float32)
    high, low = values.copy(), values.copy()
    sweep(distance, high, low, values)
    assert distance.tolist() == [[0, 0], [2, 0]]


def test_border_contrast_forgives_a_side_that_the_object_touches() -> None:
    lab = np.zeros((40, 40, 3), np.float32)
    lab[..., 0] = np.random.default_rng(0).normal(50, 1, (40, 40))
    lab[20:, 14:26, 1] = 60
    contrast = border_contrast(lab)
    assert contrast[22:36, 16:24].min() > 0.5
    assert contrast[:18].max() < 0.2


def test_regions_cover_the_image_and_are_connected() -> None:
    image = disc(side=120)
    regions = segment(image)
    count = int(regions.max()) + 1
    assert regions.shape == (120, 120)
    assert 200 <= count <= 300
    pieces = [
        cv2.connectedComponents((regions == r).astype(np.uint8), connectivity=8)[0] - 1
        for r in range(count)
    ]
    assert np.mean(np.array(pieces) == 1) > 0.97


def test_regions_follow_the_edge_of_an_object() -> None:
    regions = segment(disc())
    rows, columns = np.mgrid[:96, :96]
    inside = np.hypot(rows - 48, columns - 48) < 20
    share = np.bincount(regions.ravel(), inside.ravel()) / np.bincount(regions.ravel())
    mixed = np.minimum(share, 1 - share)[regions]
    assert mixed.mean() < 0.05


def test_every_region_can_be_reached_from_the_border() -> None:
    touching, border = neighbours(segment(disc()))
    assert np.array_equal(touching, touching.T)
    assert not touching.diagonal().any()
    reach = dijkstra(touching.astype(float), indices=np.flatnonzero(border)[:1])
    assert np.isfinite(reach).all()


def test_growing_stops_at_the_limit_and_does_not_jump_gaps() -> None:
    limit = np.array([[0.9, 0.9, 0.0, 0.9]], np.float32)
    marker = np.array([[0.5, 0.0, 0.0, 0.0]], np.float32)
    assert grow(marker, limit).tolist() == [[0.5, 0.5, 0, 0]]


@given(arrays(np.float32, (3, 4), elements=st.floats(-100, 100, width=32)))
def test_stretched_values_fill_zero_to_one_or_are_all_zero(values: np.ndarray) -> None:
    stretched = stretch(values)
    if np.ptp(values) < 1e-6:
        assert not stretched.any()
    else:
        assert (stretched.min(), stretched.max()) == (0, 1)


IMAGE = np.zeros((6, 9, 3), np.uint8)


def test_a_folders_map_is_found_by_name_and_scaled_to_one(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.b.png"), np.full((6, 9), 51, np.uint8))
    source = saliency_source(f"folder:{tmp_path}")
    for name in ("a.b", "a.b.jpg", "sub/a.b.JPG"):
        heat = source(IMAGE, name=name)
        assert heat.dtype == np.float32
        assert heat.shape == (6, 9)
        assert heat[0, 0] == pytest.approx(0.2)


def test_a_map_of_another_size_is_resized(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.repeat(np.array([[0, 255]], np.uint8), 4, axis=0))
    heat = saliency_source(f"folder:{tmp_path}")(IMAGE, name="a")
    assert heat.shape == (6, 9)
    assert np.all(np.diff(heat, axis=1) >= 0)
    assert (heat[:, 0].max(), heat[:, -1].min()) == (0, 1)


def test_a_grey_jpeg_is_a_saliency_map(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.full((16, 16), 200, np.uint8))
    assert folder(tmp_path)("a")[8, 8] == pytest.approx(200 / 255, abs=0.02)


def test_missing_maps_folders_and_names_are_sentences(tmp_path: Path) -> None:
    source = saliency_source(f"folder:{tmp_path}")
    with pytest.raises(SaliencyError, match=r"no saliency map for a in .*; a\.png was looked for"):
        source(IMAGE, name="a")
    with pytest.raises(SaliencyError, match="has no name"):
        source(IMAGE)
    with pytest.raises(SaliencyError, match="no folder of saliency maps"):
        saliency_source(f"folder:{tmp_path / 'none'}")


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((2, 2), np.uint8))
    with pytest.raises(SaliencyError, match="no saliency map"):
        folder(tmp_path / "maps")("../a")


def test_coloured_and_broken_maps_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "jet.png"), np.full((9, 9, 3), (0, 128, 255), np.uint8))
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(SaliencyError, match="in colour"):
        folder(tmp_path)("jet")
    with pytest.raises(SaliencyError, match="map of cut cannot be used"):
        folder(tmp_path)("cut")


@pytest.mark.parametrize(
    "spec", ["", "deep", "folder", "folder:", "network", "network:", "classical:x"]
)
def test_unknown_sources_are_refused_with_the_known_ones(spec: str) -> None:
    with pytest.raises(SaliencyError, match="use classical, network:NAME"):
        saliency_source(spec)


def test_a_source_says_what_it_is() -> None:
    source = saliency_source("classical")
    assert source.name == "classical"
    assert "without weights" in source.origin
    assert np.array_equal(source(disc()), classical(disc()))
