"""A run's report: whole in one file, asking nothing of anyone, escaping what it is told."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.errors import DataError, StoreError
from backend.showing.charts import histogram, nice_ticks
from backend.showing.curves import curves_of
from backend.showing.report import make_report
from backend.showing.report_data import gather
from backend.workspace import Workspace


class Addresses(HTMLParser):
    """Everything in a page that a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "data")]


def folder(workspace: Workspace) -> Path:
    made = workspace.root / "runs" / "1-labels"
    made.mkdir(parents=True, exist_ok=True)
    return made


def test_the_report_has_everything_in_it_and_asks_nothing_of_anyone(workspace: Workspace) -> None:
    lines = [{"kind": "progress", "step": n, "loss": {"total": 1 / n, "seed": 0.2}} for n in (1, 2)]
    lines.append({"kind": "validation", "step": 2, "miou": 41.5})
    text = "".join(json.dumps(each) + "\n" for each in lines)
    (folder(workspace) / "events.jsonl").write_text(text)
    config = {"recipe": "labels", "settings": {"gamma": 0.4}, "command": f"--data {workspace.root}"}
    (folder(workspace) / "config.json").write_text(json.dumps(config))
    page = make_report(workspace, "first").decode()
    parsed = Addresses()
    parsed.feed(page)
    assert parsed.found
    assert all(each.startswith("data:image/jpeg;base64,") for each in parsed.found)
    assert not parsed.tags & {"script", "link", "iframe", "object"}
    assert "default-src 'none'" in page
    outside = [each for each in re.findall(r"url\((.{20})", page) if not each.startswith("data:")]
    assert outside == []
    for said in ("Loss over steps", "Mean IoU with the true mask", "gamma", "Best", "Worst"):
        assert said in page
    assert str(workspace.root) not in page


def test_folders_of_this_machine_are_no_part_of_it(workspace: Workspace) -> None:
    address = "https://example.org/models/resnet.pth"
    config = {
        "recipe": "labels",
        "command": "python -m training labels --data /mnt/big/VOC2012 --out=/srv/runs/a/7",
        "data": "/mnt/big/VOC2012",
        "weights": [f"{workspace.root}/runs/1/weights.safetensors", address],
        "settings": {"affinity": str(Path.home() / "mine" / "affinity"), "rate": "1/2 and 3/4/5"},
    }
    (folder(workspace) / "config.json").write_text(json.dumps(config))
    page = make_report(workspace, "first").decode()
    for secret in ("/mnt/big", "/srv/runs", str(Path.home() / "mine")):
        assert secret not in page
    for kept in ("…/VOC2012", "…/7", "WORKSPACE/runs/1/weights.safetensors", "…/affinity", address):
        assert kept in page
    assert "1/2 and 3/4/5" in page


def test_a_mask_that_cannot_be_read_is_told_of_and_the_rest_is_there(workspace: Workspace) -> None:
    with workspace.store.connections.read() as database:
        (digest,) = database.execute(
            "SELECT candidates.digest FROM candidates JOIN images ON images.id = image_id"
            " WHERE images.name = 'image3' AND run_id = 2"
        ).fetchone()
        # Without true masks they are ranked by their scores, and a mask is read to be shown only.
    with workspace.store.connections.write() as database:
        database.execute("UPDATE images SET truth_digest = NULL")
    workspace.files.path(digest).write_bytes(b"no picture")
    found = gather(workspace, 2)
    assert found.ranked_by == "SC"
    assert [each.name for each in found.best] == ["image5", "image2"]
    assert any("image3 is not shown" in note for note in found.notes)


def test_the_best_and_the_worst_are_ranked_by_the_truth_where_it_is_known(
    workspace: Workspace,
) -> None:
    found = gather(workspace, 2)
    assert found.ranked_by == "IoU"
    assert [each.name for each in found.best] == ["image3", "image2"]
    assert [each.name for each in found.worst] == ["image0", "image1"]
    pixels = cv2.imdecode(np.frombuffer(found.best[0].mask, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels.shape == (40, 60, 3)
    assert found.best[0].classes == {"dog": "#0061db"}


def test_a_run_by_its_folder_that_the_workspace_does_not_know(
    workspace: Workspace, tmp_path: Path
) -> None:
    run = tmp_path / "elsewhere"
    (run / "labels").mkdir(parents=True)
    (run / "config.json").write_text('{"recipe": "fuse", "settings": {"fusion": "oaa"}}')
    image = workspace.store.images.by_name("image0")
    assert image is not None
    assert image.truth_digest is not None
    (run / "labels" / "image0.png").write_bytes(workspace.files.read(image.truth_digest))
    found = gather(workspace, str(run))
    assert (found.recipe, found.masks) == ("fuse", 1)
    assert [each.value for each in found.best] == [1.0]


@pytest.mark.parametrize("wanted", ["9", "no such run", "/etc"])
def test_a_run_that_is_not_there_is_refused_with_those_that_are(
    workspace: Workspace, wanted: str
) -> None:
    with pytest.raises(DataError, match=r"1 \(first\)"):
        make_report(workspace, wanted)
    with pytest.raises(StoreError):
        make_report(workspace, 9)


def test_what_came_from_outside_is_escaped(workspace: Workspace) -> None:
    attack = "<script>alert(1)</script>"
    settings = {"recipe": attack, "settings": {attack: attack}}
    (folder(workspace) / "config.json").write_text(json.dumps(settings))
    page = make_report(workspace, "first").decode()
    assert attack not in page
    assert page.count("&lt;script&gt;") >= 3


def test_after_a_resume_the_curve_goes_on_from_the_checkpoint() -> None:
    steps = [(1, 5.0), (2, 4.0), (3, 3.0), (2, 2.0), (3, 1.0)]
    events = [{"kind": "progress", "step": step, "loss": loss} for step, loss in steps]
    assert curves_of(events).losses == {"total": [(1, 5.0), (2, 2.0), (3, 1.0)]}


def test_a_histogram_counts_every_value_once_and_has_round_ticks() -> None:
    drawn = histogram([0.0, 0.04, 0.5, 1.0], "Scores")
    counts = [int(each) for each in re.findall(r"<title>[\d. ]+to [\d.]+: (\d+)</title>", drawn)]
    assert (len(counts), sum(counts), counts[0], counts[-1]) == (20, 4, 2, 1)
    assert nice_ticks(0, 0.83) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert nice_ticks(3, 3)[0] <= 3 <= nice_ticks(3, 3)[-1]


def test_the_typeface_travels_with_the_report(workspace: Workspace) -> None:
    page = make_report(workspace, "first").decode()
    fonts = re.findall(
        r"font-family:'(Inter)';font-weight:(\d+);src:url\(data:font/woff;base64,(\S+?)\)", page
    )
    assert {weight for _, weight, _ in fonts} == {"400", "600"}
    assert all(base64.b64decode(data).startswith(b"wOFF") for _, _, data in fonts)
