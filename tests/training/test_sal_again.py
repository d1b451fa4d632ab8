"""`sal --begin-with`: a training that goes on from where an earlier segmenter ended."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend.networks.normalisation import CAFFE
from backend.networks.salnet import SalNet
from backend.weights import load, save
from training.cli import main
from training.earlier_network import begin_with
from training.options import settle
from training.recipes.sal import Sal, settled
from training.run import Run

from .conftest import TINY, events_of, train

HEAD = ["--head-channels", "16", "--rates", "2", "--watch-every", "-1", "--no-labels"]
BRANCHES = ["--branches", "1,2", "--attention-channels", "8"]
MASKS = ["--strong", "train"]
# Nothing but the earlier network says what the trunk begins with.
NO_WEIGHTS = [word for word in TINY if word not in ("--weights", "none")]


@pytest.fixture(scope="module")
def segmenter(tiny_voc: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of `segment` on true masks; not to be changed by a test."""
    out = tmp_path_factory.mktemp("runs") / "segmenter"
    assert train("segment", tiny_voc, out, *MASKS, *HEAD, "--steps", "40") == 0
    return out


def sal(data: Path, out: Path, *more: str) -> int:
    return main(["sal", "--data", str(data), "--out", str(out), *NO_WEIGHTS, *more])


def said(out: Path) -> str:
    return " ".join(e["text"] for e in events_of(out) if e["kind"] == "message")


def test_it_is_as_good_in_a_step_as_the_segmenter_that_it_begins_with(
    segmenter: Path, tiny_voc: Path, tmp_path: Path
):
    first = events_of(segmenter)[-1]["metrics"]
    short = [*MASKS, *HEAD, *BRANCHES, "--steps", "1", "--learning-rate", "1e-6"]
    begun = ["--begin-with", str(segmenter)]
    for name, more in (("again", begun), ("new", ["--weights", "none"])):
        assert sal(tiny_voc, tmp_path / name, *short, *more) == 0
    again, new = (events_of(tmp_path / name)[-1]["metrics"] for name in ("again", "new"))
    assert again["pixel_accuracy"] > first["pixel_accuracy"] - 0.1
    assert new["pixel_accuracy"] < again["pixel_accuracy"] - 0.2
    text = said(tmp_path / "again")
    assert "Training begins with segmenter" in text
    # The attention subnetwork is what a plain segmenter does not have.
    assert "begin anew." in text
    _, card = load(tmp_path / "again")
    assert card.origin["begun"]["name"] == "segmenter"


def test_classes_are_taken_over_by_name(segmenter: Path, tmp_path: Path):
    earlier, card = load(segmenter)
    assert card.classes == ("cat", "dog")
    torch.manual_seed(0)
    network = SalNet(
        card.backbone, 3, stride=card.stride, rates=(2,), channels=16, attention_rates=()
    )
    before = {name: value.clone() for name, value in network.state_dict().items()}
    run = Run("sal", tmp_path)
    begin_with(network, {1: "dog", 2: "cow", 3: "cat"}, str(segmenter), run)
    own, theirs = network.state_dict(), earlier.state_dict()
    name = max(each for each in own if each.startswith("branches.0.") and each.endswith("weight"))
    assert torch.equal(own[name][[0, 1, 3]], theirs[name][[0, 2, 1]])
    assert torch.equal(own[name][2], before[name][2])
    assert torch.equal(own["branches.0.0.weight"], theirs["branches.0.0.weight"])


def test_images_are_normalised_as_the_network_has_learnt_that_it_begins_with(
    segmenter: Path, tiny_voc: Path, tmp_path: Path
):
    earlier, card = load(segmenter)
    other = tmp_path / "other.safetensors"
    save(other, earlier, replace(card, normalisation=CAFFE))
    out = tmp_path / "out"
    words = [*MASKS, *HEAD, *BRANCHES, "--steps", "1", "--learning-rate", "1e-6"]
    assert sal(tiny_voc, out, *words, "--begin-with", str(other)) == 0
    network, made = load(out)
    assert made.normalisation == CAFFE
    own, theirs = network.state_dict(), earlier.state_dict()
    names = [name for name in own if name.startswith("backbone.") and name.endswith("weight")]
    assert names
    assert all(torch.allclose(own[name], theirs[name], atol=1e-3) for name in names)


def test_what_cannot_be_begun_with_is_refused_before_anything_is_made(
    segmenter: Path, tiny_voc: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = [*MASKS, *HEAD, *BRANCHES, "--steps", "1"]
    out = tmp_path / "out"
    classifier = tmp_path / "classifier"
    assert train("classify", tiny_voc, classifier, "--steps", "1", "--watch-every", "-1") == 0
    capsys.readouterr()
    for named, more, sentence in (
        (segmenter, ["--backbone", "squeezenet1_1"], "has the trunk slim, but --backbone is"),
        (classifier, [], "which is no segmenter"),
        (segmenter, ["--weights", "none"], "and --weights none names another: both cannot be"),
        (segmenter, ["--weights", str(classifier)], "both cannot be begun with. Leave one"),
        (tmp_path / "nothing", [], "nothing"),
    ):
        assert sal(tiny_voc, out, *words, *more, "--begin-with", str(named)) == 2
        assert sentence in capsys.readouterr().err
        assert sal(tiny_voc, out, *words, *more, "--begin-with", str(named), "--dry-run") == 2
        assert sentence in capsys.readouterr().err
        assert not out.exists()


def test_a_retraining_takes_part_of_the_steps_and_asked_for_ones_as_they_are():
    plain, again = {}, {"begin_with": "RUN"}
    assert settled(settle(Sal, "light", plain), 200).steps == 20 * 20
    assert settled(settle(Sal, "light", again), 200).steps == 8 * 20
    assert settled(settle(Sal, "light", {**again, "steps": 7}), 200).steps == 7
    assert settled(settle(Sal, "paper", again), 200).steps == 27_000
