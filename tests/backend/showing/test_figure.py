"""Figures: what stands in them, in which colours, where, and as text that stays text."""

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backend.inspectors import Inspectors
from backend.inspectors.saliency_sources import SaliencySources
from backend.labels import IGNORE
from backend.showing.figure import FigureFile, make_figure
from backend.showing.figure_request import FigureRequest, columns_of, rows_of
from backend.showing.layout import Entry, Sheet, lay_out
from backend.showing.painting import Look, Picture, colour_table, paint, resized_codes, rgb
from backend.showing.typefaces import REGULAR, SEMIBOLD, missing, width
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]


def figure(
    workspace: Workspace, form: str, images: list[str], columns: list[str], **more
) -> FigureFile:
    sources = SaliencySources(workspace.store, {}, "cpu")
    inspectors = Inspectors(workspace.store, None, sources, device="cpu")
    request = FigureRequest(rows_of(images), columns_of(columns), **more)
    return make_figure(workspace.store, inspectors, request, form)


def test_text_stays_text_and_carries_its_typefaces(workspace: Workspace) -> None:
    columns = ["image", "truth", "run:1", "run:2=Ours $x_1$"]
    svg = figure(workspace, "svg", ["image0", "image1"], columns, names="names").data.decode()
    texts = set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    assert texts == {"Image", "Ground truth", "CAM", "Ours $x_1$", "image0", "image1", "cat", "dog"}
    assert svg.count("@font-face") == 2
    assert "http" not in re.sub(r'(xmlns[:\w]*|rdf:resource)="[^"]*"|"-//W3C[^>]*>', "", svg)
    pdf = figure(workspace, "pdf", ["image0"], columns).data
    assert b"Inter-SemiBold" in pdf
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf


def test_the_same_figure_is_the_same_bytes(workspace: Workspace) -> None:
    for form in ("png", "pdf", "svg"):
        made = [figure(workspace, form, ["image0"], ["image", "run:1"]).data for _ in range(2)]
        assert made[0] == made[1], form


def test_masks_have_the_pages_colours(workspace: Workspace) -> None:
    made = figure(workspace, "png", ["image0"], ["run:1"], flat=True, titles=False, legend=False)
    with Image.open(io.BytesIO(made.data)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    cat = next(each for each in workspace.store.classes.all() if each.name == "cat")
    height, wide = pixels.shape[:2]
    # Rows 10 to 30 of 40, columns 20 to 30 of 60 are the cat's.
    assert tuple(pixels[height // 2, wide * 25 // 60]) == rgb(cat.colour)
    assert tuple(pixels[height // 2, wide * 50 // 60]) == (0, 0, 0)


def test_what_cannot_be_shown_is_left_empty_and_said(workspace: Workspace) -> None:
    made = figure(workspace, "png", ["image4", "image5"], ["image", "truth", "run:2"])
    assert any("image4 has no mask of second" in each for each in made.remarks)
    assert any("image5 has no true mask" in each for each in made.remarks)
    odd = figure(workspace, "png", ["image0"], ["image=\U0001f9a4"])
    assert any("\U0001f9a4" in each for each in odd.remarks)
    assert missing(["äöü éñ łčш"]) == ""


def test_the_number_beneath_a_mask_is_its_mean_iou(workspace: Workspace) -> None:
    svg = figure(workspace, "svg", ["image0"], ["truth", "run:1"], numbers=True).data.decode()
    expected = 100 * (2000 / 2200 + 200 / 400) / 2
    assert re.findall(r">(\d+\.\d)</text>", svg) == [f"{expected:.1f}"]


def boxes(sheet: Sheet) -> list[tuple[float, float, float, float]]:
    """Everything on a sheet as left, top, right, bottom; text by what it covers."""
    found = [
        (b.left, b.top, b.left + b.width, b.top + b.height) for row in sheet.cells for b in row if b
    ]
    found += [(b.left, b.top, b.left + b.width, b.top + b.height) for b, _ in sheet.swatches]
    found += [(b.left, b.top, b.left + b.width, b.top + b.height) for b in sheet.bars]
    for words in sheet.words:
        long = width(words.text, words.size, words.weight)
        if words.turned:
            found.append(
                (
                    words.x - words.size / 2,
                    words.baseline - long / 2,
                    words.x + words.size / 2,
                    words.baseline + long / 2,
                )
            )
        else:
            left = words.x if words.align == "left" else words.x - long / 2
            # Capitals of Inter stand 0.73 of the size above the line.
            found.append((left, words.baseline - 0.73 * words.size, left + long, words.baseline))
    return found


LONG = "A method whose name nobody would print, (2024), with SupercalifragilisticExtensions"


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("wide", [84.0, 174.0])
def test_nothing_overlaps_and_nothing_sticks_out(turned: bool, wide: float) -> None:
    shapes = [1.5, 0.66, 1.0]
    aspects: list[list[float | None]] = [[s] * 6 for s in shapes]
    titles, names = [LONG, "Image", "x", LONG, "Ground truth", "CRF"], ["(a)", LONG, "c"]
    if turned:
        aspects, titles, names = [list(shapes) for _ in range(6)], names, titles
    sheet = lay_out(
        aspects,
        width_pt=wide * 72 / 25.4,
        dpi=300,
        size=7,
        columns=titles,
        rows=names,
        under=[["72.4" for _ in row] for row in aspects],
        legend=[Entry(f"class number {n}", "#112233") for n in range(30)] + [Entry(LONG, None)],
    )
    found = boxes(sheet)
    for at, one in enumerate(found):
        assert one[0] >= -0.5, one
        assert one[1] >= -0.5, one
        assert one[2] <= sheet.width + 0.5, one
        assert one[3] <= sheet.height + 0.5, one
        for other in found[at + 1 :]:
            across = min(one[2], other[2]) - max(one[0], other[0])
            down = min(one[3], other[3]) - max(one[1], other[1])
            assert across <= 0.3 or down <= 0.3, (one, other)


def test_semibold_is_wider_than_regular() -> None:
    """So that the sheet is measured in the faces that it is drawn in."""
    assert width("Ground truth", 7, SEMIBOLD) > width("Ground truth", 7, REGULAR) > 30


@given(st.integers(3, 40), st.integers(3, 40), st.integers(0, 9))
def test_resized_labels_hold_no_id_that_was_not_there(height: int, wide: int, seed: int) -> None:
    labels = np.random.default_rng(seed).choice(np.uint8([0, 3, 7, IGNORE]), (11, 13))
    assert set(np.unique(resized_codes(labels, (height, wide)))) <= {0, 3, 7, IGNORE}


def test_heat_lies_over_grey_and_background_is_left_clear() -> None:
    photo = np.full((4, 4, 3), (200, 30, 30), np.uint8)
    heat = paint(Picture(photo, "heat", np.zeros((4, 4), np.float32)), (4, 4), Look(opacity=1.0))
    assert (heat == colour_table("viridis")[0]).all()
    clear = paint(Picture(photo, "labels", np.zeros((4, 4), np.uint8)), (4, 4), Look())
    assert (clear == photo).all()


def test_the_pages_colour_maps_are_these() -> None:
    script = (ROOT / "ui/static/viewer/colours.js").read_text()
    for name in ("viridis", "magma", "turbo", "grey"):
        points = re.search(rf'{name}: "([0-9a-f]+)"', script)
        assert points is not None
        ends = colour_table(name)[[0, 255]]
        assert [tuple(each) for each in ends] == [
            rgb(f"#{points[1][:6]}"),
            rgb(f"#{points[1][-6:]}"),
        ]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "backend", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_draws_what_the_page_draws(workspace: Workspace, tmp_path: Path) -> None:
    root, out = str(workspace.root), tmp_path / "panel.pdf"
    words = [
        "figure",
        root,
        str(out),
        "--images",
        "image0",
        "image5",
        "--columns",
        "image",
        "run:1",
    ]
    done = run(*words, "--width", "column", "--names", "letters")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(out)
    expected = figure(
        workspace, "pdf", ["image0", "image5"], ["image", "run:1"], width=84, names="letters"
    )
    assert out.read_bytes() == expected.data
    again = run(*words)
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert (
        "must end in" in run("figure", root, str(tmp_path / "x.eps"), "--images", "image0").stderr
    )


def test_the_command_writes_the_report(workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "first.html"
    done = run("report", str(workspace.root), "first", str(out))
    assert done.returncode == 0, done.stderr
    assert "Best and worst images" in out.read_text()
    refused = run("report", str(workspace.root), "third", str(tmp_path / "no.html"))
    assert refused.returncode == 2
    assert "There is no run 'third'" in refused.stderr
    assert not (tmp_path / "no.html").exists()
