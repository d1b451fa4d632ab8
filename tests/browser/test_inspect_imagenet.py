"""ImageNet's classifiers in the Inspect tab: which can be chosen, and tags for looking only."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
import torch
import uvicorn

from app import listen
from backend.images import encode_png
from backend.weights import classifiers
from backend.workspace import Workspace

SQUEEZENET = "torchvision:squeezenet1_1"
VGG = "torchvision:vgg16"


@dataclass
class Served:
    """The web app in a thread of this process."""

    url: str
    workspace: Workspace


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An app that finds one classifier: a SqueezeNet of random weights under its sha256's name."""
    from ui.server import build_app

    folder = tmp_path_factory.mktemp("imagenet")
    torch.manual_seed(0)
    torch.save(classifiers.build("squeezenet1_1").state_dict(), folder / "made.pth")
    digest = sha256((folder / "made.pth").read_bytes()).hexdigest()
    file = (folder / "made.pth").rename(folder / f"squeezenet1_1-{digest[:8]}.pth")
    offer = classifiers.OFFERED["squeezenet1_1"]._replace(files=(file.name,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(classifiers.OFFERED, "squeezenet1_1", offer)
        patch.setenv("TAGMASK_WEIGHTS", str(folder))
        patch.setattr("torch.hub.get_dir", lambda: str(folder))
        made = Workspace.create(folder / "workspace", "ImageNet", classes=("tench", "windmill"))
        pixels = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
        made.store.images.add("pond", encode_png(pixels), source="test", tags=[1, 2])
        with made, listen("127.0.0.1", 0) as listener:
            server = uvicorn.Server(uvicorn.Config(build_app(made), log_level="warning"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            while not server.started:
                time.sleep(0.05)
            yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", made)
            server.should_exit = True
            thread.join(timeout=20)


@pytest.fixture
def look(page: Any, app: Served) -> Any:
    """Opens the address; answers the page when the first image's stages are made."""

    def look(weights: str) -> Any:
        page.goto("about:blank")
        page.goto(f"{app.url}/#image=pond&weights={weights}")
        score = page.locator('.tmv-panel[data-stage="sal.score"] .tmv-caption span')
        score.wait_for(timeout=60_000)
        return page

    return look


def panels(page: Any) -> list[str]:
    found = page.locator('.tmv-panel[data-stage="gradcam"]')
    return found.evaluate_all("(all) => all.map((panel) => panel.dataset.tag)")


def test_classifiers_without_a_file_cannot_be_chosen_and_say_why(page: Any, app: Served) -> None:
    # A toast goes by itself: it is read before anything else is waited for.
    page.goto("about:blank")
    page.goto(f"{app.url}/#image=pond&weights={VGG}")
    told = page.locator(".tm-toast").inner_text()
    assert "torchvision:vgg16" in told
    assert "weights fetch" in told
    group = page.locator('select[aria-label="Weights"] optgroup[label="ImageNet"] option')
    absent = {each.get_attribute("value"): each.is_disabled() for each in group.all()}
    assert absent[VGG]
    assert not absent[SQUEEZENET]
    assert "vgg16" in page.locator(".tmv-absent").text_content()


def test_the_images_own_tags_come_first_where_they_are_imagenet_names(look: Any) -> None:
    page = look(SQUEEZENET)
    assert panels(page) == ["tench"], "windmill is no ImageNet name"
    section = page.get_by_role("region", name="ImageNet tags")
    assert section.locator(".tmv-chip-name").all_inner_texts() == ["tench"]
    assert not page.get_by_role("region", name="Tags", exact=True).is_visible()


def test_a_mask_of_imagenets_classes_is_not_offered_and_says_why(look: Any) -> None:
    offer = look(SQUEEZENET).get_by_role("button", name="Offer as candidate")
    assert offer.is_disabled()
    assert "for looking only" in offer.get_attribute("title")


def test_a_tag_is_found_among_a_thousand_and_stays_out_of_the_workspace(
    look: Any, app: Served
) -> None:
    page = look(SQUEEZENET)
    field = page.get_by_role("combobox", name="Add an ImageNet tag")
    field.fill("goldf")
    found = page.locator(".tmv-option:visible")
    found.filter(has_text="goldfinch").wait_for()
    assert found.all_inner_texts() == ["goldfinch", "goldfish"]
    field.press("ArrowDown")
    field.press("Enter")
    page.locator('.tmv-panel[data-stage="gradcam"][data-tag="goldfish"]').wait_for()
    assert panels(page) == ["tench", "goldfish"]
    image = app.workspace.store.images.by_name("pond")
    assert image.tags == (1, 2)
    assert [each.name for each in app.workspace.store.classes.all()] == ["tench", "windmill"]
