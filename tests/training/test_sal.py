"""`python -m training sal`: what teaches a segmenter, what it leaves behind, and how it goes on."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.exchange.sources import open_source
from backend.labels import read_labels, write_labels
from backend.networks.salnet import SalNet, SalOutput
from backend.weights import load
from training.cli import main
from training.data import Batch
from training.options import settle
from training.recipes.sal import Sal, settled
from training.run import Run
from training.salnet import SalBench, masked, salnet
from training.selection import select

from .conftest import TINY, events_of, start, stop_after, train
from .test_selection import snapshot_of

SMALL = ["--head-channels", "16", "--rates", "2", "--branches", "1,2", "--attention-channels", "8",
         "--watch-every", "-1"]  # fmt: skip
WRONG = ("im1", "im4", "im6", "im7")


def sal(data: Path, out: Path, *more: str) -> int:
    return train("sal", data, out, *SMALL, *more)


@pytest.fixture(scope="module")
def proxy(tiny_voc: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """True masks of half the images, which score well, and of the others a class that is not there
    all over the image, which score badly; not to be changed by a test.
    """
    out = tmp_path_factory.mktemp("runs") / "proxy"
    lines = []
    for number in range(8):
        name = f"im{number}"
        labels = read_labels(tiny_voc / "SegmentationClass" / f"{name}.png")
        if name in WRONG:
            labels = np.full_like(labels, 12 if number % 3 == 0 else 8)
        write_labels(out / "labels" / f"{name}.png", labels)
        lines.append({"image": name, "SC": 0.5, "SF": 0.1 if name in WRONG else 0.9})
    (out / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out


@pytest.fixture(scope="module")
def trained_sal(tiny_voc: Path, proxy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on the masks that score well; not to be changed by a test."""
    out = tmp_path_factory.mktemp("runs") / "sal"
    assert sal(tiny_voc, out, "--from", str(proxy), "--steps", "60") == 0
    return out


def test_masks_that_score_badly_teach_nothing(trained_sal: Path, tiny_voc: Path):
    finished = events_of(trained_sal)[-1]
    assert finished["kind"] == "finished"
    assert finished["metrics"]["masks"] == 4
    assert finished["metrics"]["tau"] == 0.55
    assert finished["metrics"]["pixel_accuracy"] > 0.9
    # Learnt from the wrong ones too, whole images would be of one class.
    right = [
        (read_labels(trained_sal / "labels" / f"{name}.png")
         == read_labels(tiny_voc / "SegmentationClass" / f"{name}.png")).mean()
        for name in WRONG
    ]  # fmt: skip
    assert min(right) > 0.8


def test_what_it_learnt_from_is_on_record(trained_sal: Path):
    lines = [json.loads(each) for each in (trained_sal / "weights.jsonl").read_text().splitlines()]
    assert [(each["weight"], each["rule"]) for each in lines] == [
        (0.0, "below") if f"im{n}" in WRONG else (1.0, "above") for n in range(8)
    ]
    assert {each["SF"] for each in lines} == {0.1, 0.9}
    told = json.loads((trained_sal / "provenance.json").read_text())["labels"]
    assert (told["masks"], told["run"]) == (4, "proxy")
    rows = told["selection"]["rules"]
    assert [(row["rule"], row["images"]) for row in rows] == [("above", 4), ("below", 4)]
    said = [event["text"] for event in events_of(trained_sal) if event["kind"] == "message"]
    assert any(text.startswith("Policy curated:") and "below: its score" in text for text in said)


def test_its_weights_are_a_segmenter_that_predict_uses(
    trained_sal: Path, tiny_voc: Path, tmp_path: Path
):
    network, card = load(trained_sal)
    assert isinstance(network, SalNet)
    assert (card.kind, card.classes, card.class_ids) == ("sal", ("cat", "dog"), (8, 12))
    assert card.origin["labels"]["selection"]["tau"] == 0.55
    out = tmp_path / "predicted"
    words = ["predict", "--run", str(trained_sal), "--data", str(tiny_voc), "--out", str(out)]
    how = ["--scales", "0.75,1", "--flip", "--device", "cpu"]
    assert main([*words, *how]) == 0
    assert len(list(out.glob("*.png"))) == 8
    truth = read_labels(tiny_voc / "SegmentationClass" / "im2.png")
    assert (read_labels(out / "im2.png") == truth).mean() > 0.8


def bench_on(data: Path, folder: Path, proxy: Path, **given: object) -> SalBench:
    how = {"size": 48, "weights": "none", "head_channels": 8, "rates": (1,), "device": "cpu",
           "precision": "32", "attention_channels": 4, "attention_squeeze": 4,
           "from_": str(proxy)}  # fmt: skip
    run = Run("sal", folder, data=data)
    settings = settled(settle(Sal, "scenes", {**how, **given}), 8)
    chosen = select(settings, run)
    learnt = masked(chosen, run, tags_teach=settings.attention)
    return SalBench(settings, run, chosen, learnt)


def touched(network: SalNet, loss: torch.Tensor) -> set[str]:
    network.zero_grad()
    loss.backward()
    named = network.named_parameters()
    return {name.partition(".")[0] for name, p in named if p.grad is not None and p.grad.any()}


def test_an_image_of_weight_0_teaches_its_tags_and_no_pixel(
    tiny_voc: Path, proxy: Path, tmp_path: Path
):
    bench = bench_on(tiny_voc, tmp_path, proxy)
    assert bench.weights.tolist() == [float(f"im{n}" not in WRONG) for n in range(8)]
    network = salnet(bench.settings, 2).eval()
    wrong = torch.tensor([int(name[2:]) for name in WRONG])
    images = torch.randint(0, 255, (4, 3, 48, 48), dtype=torch.uint8)
    tags = torch.tensor([[1.0, 0], [0, 1], [1, 1], [1, 0]])
    # Even a mask that should not be there teaches nothing.
    for masks in (None, torch.full((4, 48, 48), 8)):
        batch = Batch(images, tags, wrong, torch.zeros(4, 5), masks)
        found = bench.losses(network(bench.normalisation.batch(images)), batch)
        assert found.selection.item() == 0
        assert touched(network, found.selection) == set()
        found = bench.losses(network(bench.normalisation.batch(images)), batch)
        assert found.attention.item() > 0
        assert touched(network, found.attention) == {"backbone", "squeeze", "attention"}


def test_the_losses_are_the_weighted_mean_of_the_gated_pixels_and_the_tags_entropy(
    tiny_voc: Path, proxy: Path, tmp_path: Path
):
    bench = bench_on(tiny_voc, tmp_path, proxy)
    logits = torch.zeros(2, 3, 48, 48)
    scores = torch.tensor([[0.0, 0.0], [2.0, -1.0]])
    masks = torch.full((2, 48, 48), 255)
    masks[:, :2] = 8
    batch = Batch(
        torch.zeros(2, 3, 48, 48, dtype=torch.uint8), torch.tensor([[1.0, 0], [0, 0]]),
        torch.tensor([0, 1]), torch.zeros(2, 5), masks,
    )  # fmt: skip
    found = bench.losses(SalOutput(logits, scores), batch)
    # im1 weighs nothing: 1/3 x 1/2 over 1/3 + 1/6 + 1/6 is a quarter.
    assert found.selection.item() == pytest.approx(np.log(4), rel=1e-5)
    # The second image has no tag, so that nobody knows what it holds.
    assert found.attention.item() == pytest.approx(np.log(2), rel=1e-5)
    assert found.right.item() == 0


def test_an_image_without_a_tag_is_no_image_without_a_class(
    tiny_voc: Path, proxy: Path, tmp_path: Path
):
    bench = bench_on(tiny_voc, tmp_path, proxy)
    batch = Batch(
        torch.zeros(1, 3, 48, 48, dtype=torch.uint8), torch.zeros(1, 2), torch.tensor([0]),
        torch.zeros(1, 5), torch.full((1, 48, 48), 8),
    )  # fmt: skip
    found = bench.losses(SalOutput(torch.zeros(1, 3, 48, 48), torch.zeros(1, 2)), batch)
    assert found.attention.item() == 0


def test_without_the_attention_loss_images_of_weight_0_are_left_out(
    tiny_voc: Path, proxy: Path, tmp_path: Path
):
    for how in ({"attention": False}, {"branches": ()}):
        bench = bench_on(tiny_voc, tmp_path / str(len(how)), proxy, **how)
        assert [item.name for item in bench.taught.items] == ["im0", "im2", "im3", "im5"]
        network = salnet(bench.settings, 2)
        assert network(torch.zeros(1, 3, 48, 48)).scores is None


@pytest.mark.parametrize(
    "how",
    [
        ["--no-selection", "--no-attention"], ["--no-selection"], ["--no-attention"],
        ["--by", "SC", "--tau", "0.4", "--lambda", "0"], ["--loss-size", "image", "--keep", "2"],
        ["--branches", "1", "--branch-sum", "mean"],
    ],
)  # fmt: skip
def test_every_row_of_the_ablations_trains(
    tiny_voc: Path, proxy: Path, tmp_path: Path, how: list[str]
):
    out = tmp_path / "run"
    assert sal(tiny_voc, out, "--from", str(proxy), "--steps", "2", "--no-labels", *how) == 0
    finished = events_of(out)[-1]
    masks = 8 if "--no-selection" in how or "SC" in how else 4
    assert finished["metrics"]["masks"] == masks
    epochs = [event for event in events_of(out) if event["kind"] == "epoch"]
    assert ("attention" in epochs[-1]) == ("--no-attention" not in how)


def test_masks_of_background_alone_are_refused(
    tiny_voc: Path, proxy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    bare = tmp_path / "bare"
    for number in range(8):
        write_labels(bare / "labels" / f"im{number}.png", np.zeros((48, 48), np.uint8))
    how = ["--from", str(bare), "--no-selection", "--steps", "1", "--no-labels"]
    for more in (["--no-attention"], []):
        assert sal(tiny_voc, tmp_path / "out", *how, *more) == 2
        said = capsys.readouterr().err
        assert "None of the 8 masks holds a pixel of a class: there is nothing to tell" in said


def test_tags_that_no_mask_holds_are_named(
    tiny_voc: Path, proxy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for number in range(8):
        write_labels(tmp_path / "cats/labels" / f"im{number}.png", np.full((48, 48), 8, np.uint8))
    how = {"selection": False}
    bench_on(tiny_voc, tmp_path / "all", tmp_path / "cats", **how)
    assert "No mask that teaches holds dog; the tags alone teach it." in capsys.readouterr().err
    bench = bench_on(tiny_voc, tmp_path / "alone", tmp_path / "cats", attention=False, **how)
    assert bench.class_ids == [8]
    assert "No mask that teaches holds dog; the network does not" in capsys.readouterr().err
    bench_on(tiny_voc, tmp_path / "both", proxy)
    assert "No mask that teaches holds" not in capsys.readouterr().err


def test_true_masks_alone_and_beside_proxies(tiny_voc: Path, proxy: Path, tmp_path: Path):
    """S1 to S5 of Table IX."""
    few = tmp_path / "few"
    few.mkdir()
    for each in tiny_voc.iterdir():
        if each.name != "ImageSets":
            (few / each.name).symlink_to(each)
    lists = few / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\n".join(f"im{n}" for n in range(8)))
    (lists / "gold.txt").write_text("im0\nim1\n")
    strong = ["--strong", "gold", "--steps", "2", "--no-labels"]
    for number, (how, masks) in enumerate(
        [
            (["--split", "gold", "--no-attention"], 2),
            (["--split", "gold"], 2),
            (["--from", str(proxy), "--no-selection", "--no-attention"], 8),
            (["--from", str(proxy), "--no-attention"], 5),
            (["--from", str(proxy)], 5),
        ]
    ):
        out = tmp_path / f"S{number + 1}"
        assert sal(few, out, *strong, *how) == 0
        assert events_of(out)[-1]["metrics"]["masks"] == masks
    # What it labels is measured where no true mask has taught.
    out = tmp_path / "labelled"
    assert sal(few, out, "--from", str(proxy), *strong[:-1]) == 0
    measured = json.loads((out / "evaluation" / "labels.json").read_text())
    assert (measured["of"], measured["images"]) == ("train, without 2 decided images", 6)


def test_decisions_of_a_snapshot_teach_by_its_policy(tiny_voc: Path, tmp_path: Path):
    manifest = snapshot_of(tiny_voc, tmp_path / "snapshot")
    for policy, masks in (("curated", 4), ("accepted-only", 2), ("scores-only", 4)):
        out = tmp_path / policy
        how = ["--policy", policy, "--tau", "0.5", "--steps", "2"]
        assert sal(manifest, out, *how) == 0
        finished = events_of(out)[-1]
        assert finished["metrics"]["masks"] == masks - (policy == "curated")
        # Rejected and undecided images get labels of the new network all the same.
        assert finished["labels"] == 8
    assert len(open_source(manifest).items) == 4


KILLED = ["--steps", "24", "--checkpoint-every", "0", "--dropout", "0.3"]


def test_a_run_killed_at_any_step_ends_as_one_that_was_not(
    tiny_voc: Path, proxy: Path, tmp_path: Path
):
    how = ["--from", str(proxy), *KILLED]
    assert sal(tiny_voc, tmp_path / "whole", *how) == 0
    hurt = tmp_path / "hurt"
    words = ["sal", "--data", str(tiny_voc), "--out", str(hurt), *TINY, *SMALL, *how]
    enough = lambda text: text.count('"checkpoint"') >= 7  # noqa: E731
    assert stop_after(start(*words), hurt, enough, signal.SIGKILL) == -signal.SIGKILL
    assert not (hurt / "weights.safetensors").exists()
    assert main(["sal", "--out", str(hurt), "--resume"]) == 0
    assert any("Resumed at" in event.get("text", "") for event in events_of(hurt))
    one, other = (load(folder)[0].state_dict() for folder in (hurt, tmp_path / "whole"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    for name in ("weights.jsonl", *(f"labels/im{n}.png" for n in range(8))):
        assert (hurt / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_run_does_not_go_on_with_another_selection(
    tiny_voc: Path, proxy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    scores = tmp_path / "scores.jsonl"
    scores.write_text((proxy / "scores.jsonl").read_text())
    out = tmp_path / "run"
    how = ["--from", str(proxy), "--scores", str(scores), *KILLED]
    words = ["sal", "--data", str(tiny_voc), "--out", str(out), *TINY, *SMALL, *how]
    enough = lambda text: text.count('"checkpoint"') >= 2  # noqa: E731
    stop_after(start(*words), out, enough, signal.SIGTERM)
    scores.write_text(scores.read_text().replace("0.1", "0.7"))
    assert main(["sal", "--out", str(out), "--resume"]) == 2
    assert "selection" in capsys.readouterr().err


def test_the_papers_numbers_depend_on_the_trunk():
    for trunk, rate, steps, channels in (
        ("vgg16", 1e-3, 27_000, 1024), ("resnet101", 1e-4, 15_000, 0),
    ):  # fmt: skip
        found = settled(settle(Sal, "paper", {"backbone": trunk}), 10_582)
        assert (found.learning_rate, found.steps, found.head_channels) == (rate, steps, channels)
    light = settled(settle(Sal, "light", {}), 266)
    assert light.steps == light.epochs * 27
    assert settled(settle(Sal, "light", {"steps": 5}), 266).steps == 5
