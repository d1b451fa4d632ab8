"""The papers' numbers of each method, and that `--help` shows every one with its section."""

import re

import pytest

from training.cli import main
from training.options import Option, options_of, settle
from training.recipes import find_recipe

METHODS = ("classify", "oaa", "oaaplus", "seenet", "ecsnet", "dcsp", "sal")

# Read in the papers, not in the code: section -> option -> number.
PAPER = {
    "seenet": {
        "SeeNet 5.1": {
            "backbone": "vgg16",
            "head_layers": 3,
            "head_channels": 512,
            "batch": 16,
            "weight_decay": 0.0002,
            "learning_rate": 0.001,
            "steps": 25_000,
            "high": 0.7,
            "low": 0.05,
            "size": 224,
        },
        "SeeNet 3.3": {"map_flip": True},
    },
    "oaa": {
        "OAA 4.1": {
            "batch": 5,
            "weight_decay": 0.0002,
            "momentum": 0.9,
            "learning_rate": 0.001,
            "steps": 30_000,
        },
        "OAA 3.1": {"backbone": "vgg16", "head_layers": 3},
        "OAA 3.2": {"fusion": "max", "gate": "strict"},
    },
    "oaaplus": {
        "OAA 4.1": {"batch": 5, "weight_decay": 0.0002, "momentum": 0.9, "steps": 30_000},
        "OAA 3.3": {"loss": "hybrid", "per": "class"},
    },
    "ecsnet": {
        "ECS-Net 4.2": {
            "backbone": "resnet38",
            "size": 448,
            "batch": 8,
            "epochs": 8,
            "schedule": "poly",
            "warmup": 100,
            "new_rate": 10,
        },
        "ECS-Net 4.3": {"beta": 0.5, "theta": 0.8, "label_source": "cam"},
        "ECS-Net 3.1": {"delta": 0.6},
        "ECS-Net 3.2": {"overlay": (5, 7, 12), "refine": True},
    },
    "dcsp": {
        "DCSP 5.1": {
            "backbone": "resnet101",
            "head": "aspp",
            "fcan_steps": 30_000,
            "steps": 10_000,
            "size": 321,
            "batch": 10,
            "learning_rate": 0.001,
            "momentum": 0.9,
            "weight_decay": 0.0005,
            "gamma": 0.4,
            "erase_above": (0.7, 0.8),
            "test_scales": (1, 0.75, 0.5),
            "test_fusion": "max",
        },
        "DCSP 4.1": {"pooling": "average", "attention": "minmax"},
        "DCSP 4.2": {"erasing_steps": 3, "mean": "harmonic"},
        "DCSP 4.3": {"adapt": 1, "gradient": "joint"},
        "DCSP Eq. 2": {"classification_loss": True, "segmentation_loss": True},
    },
    "sal": {
        "SAL IV-A": {
            "head": "aspp",
            "batch": 7,
            "momentum": 0.9,
            "weight_decay": 0.0005,
            "dropout": 0.5,
            "lambda_": 2,
        },
        "SAL IV-G": {"size": 321},
        "SAL III-C": {"branches": (1, 3, 6, 9)},
        "SAL Eq. 10": {"branch_sum": "sum"},
        "SAL Eq. 15": {"schedule": "poly"},
        "SAL VII": {"selection": True, "attention": True},
    },
}


def options(name: str) -> dict[str, Option]:
    return {each.name: each for each in options_of(find_recipe(name).settings)}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_numbers_are_the_papers_and_name_their_section(name: str):
    known = options(name)
    for section, numbers in PAPER[name].items():
        for each, number in numbers.items():
            assert known[each].default["paper"] == number, each
            assert known[each].section.startswith(section), each


def test_rates_fall_where_the_papers_say():
    for name, step, steps in (("seenet", 15_000, 25_000), ("oaa", 20_000, 30_000)):
        settings = settle(find_recipe(name).settings, "paper", {})
        assert settings.schedule == "step"
        assert round(settings.decay_at * settings.steps) == step
        assert settings.steps == steps


def test_ecs_nets_samples_are_448_of_images_resized_to_768_at_most():
    settings = settle(find_recipe("ecsnet").settings, "paper", {})
    assert settings.crop == "scale"
    assert settings.size * settings.crop_least == 448
    assert settings.size * settings.crop_most == pytest.approx(768)
    assert settings.sigma * 448 == pytest.approx(10)


def test_oaa_plus_is_trained_as_the_classification_network_is():
    """OAA 4.1: the hyper-parameters of the integral attention model are the same."""
    ours, theirs = options("oaaplus"), options("classify")
    assert {name: ours[name].default["paper"] for name in theirs} == {
        name: theirs[name].default["paper"] for name in theirs
    }
    assert ours["start"].default["paper"] == "trunk"
    assert ours["positive_above"].default["paper"] == 0


@pytest.mark.parametrize("name", METHODS)
def test_help_shows_every_number_of_every_preset_and_its_section(
    name: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    shown = re.sub(r"\s+", " ", capsys.readouterr().out)
    for each in options_of(find_recipe(name).settings):
        values = []
        for preset in ("paper", "light", "scenes"):
            value = each.written(preset)
            if isinstance(value, bool):
                value = "yes" if value else "no"
            values.append(f"{value:g}" if isinstance(value, float) else str(value) or "unset")
        told = [f"{p} {v}" for p, v in zip(("paper", "light", "scenes"), values, strict=True)]
        expected = values[0] if len(set(values)) == 1 else ", ".join(told)
        section = f" [{each.section}]" if each.section else ""
        words = f"{each.help} ({expected}){section}"
        assert words in shown[shown.index(f" {each.flag}") :], each.flag


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_its_presets_and_trunks(name: str):
    recipe = find_recipe(name)
    assert recipe.presets == ("paper", "light", "scenes")
    assert set(recipe.backbones) == {
        "vgg16",
        "squeezenet1_1",
        "mobilenet_v2",
        "resnet50",
        "resnet101",
        "resnet38",
        "slim",
    }
    light = settle(recipe.settings, "light", {})
    assert light.backbone == "squeezenet1_1"
    assert light.steps == 0
    assert settle(recipe.settings, "scenes", {}).backbone == "slim"
