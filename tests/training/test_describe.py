"""What the page learns of the recipes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from backend.networks import backbone_names
from training.cli import main, recipe_parser
from training.describe import describe
from training.recipes import BACKBONES, find_recipe, recipe_names

PROJECT = Path(__file__).resolve().parents[2]
TYPES = {"int", "float", "str", "choice", "flag"}


def test_describe_prints_what_the_page_reads(capsys: pytest.CaptureFixture[str]):
    assert main(["describe"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(describe()))
    assert printed["format"] == 1
    assert {"classify", "labels", "scenes"} <= set(printed["recipes"])


@pytest.mark.parametrize("name", [*recipe_names(), "pipeline"])
def test_every_option_says_what_it_is(name: str):
    told = describe()["recipes"][name]
    assert told["title"]
    assert told["summary"]
    for option in told["options"]:
        assert option["type"] in TYPES, option
        assert option["help"], option
        assert set(option["default"]) == set(told["presets"] or ["paper"]), option
        assert (option["type"] == "choice") == bool(option["choices"]), option
        for value in option["default"].values():
            assert not option["choices"] or value in option["choices"], option


@pytest.mark.parametrize("name", recipe_names())
def test_every_described_flag_is_one_that_the_command_line_takes(name: str):
    parser = recipe_parser(find_recipe(name))
    flags = set(parser._option_string_actions)
    assert {option["flag"] for option in describe()["recipes"][name]["options"]} <= flags


def test_the_described_backbones_are_those_that_can_be_built():
    assert backbone_names() == BACKBONES


def test_the_papers_numbers_are_the_papers():
    told = {each["name"]: each for each in describe()["recipes"]["classify"]["options"]}
    paper = {name: told[name]["default"]["paper"] for name in told}
    # OAA 4.1: batch 5, weight decay 0.0002, momentum 0.9, rate 1e-3 divided by 10 after 20,000 of
    # 30,000 iterations; 3.1: three layers on VGG-16.
    assert paper["batch"] == 5
    assert paper["weight_decay"] == 2e-4
    assert paper["momentum"] == 0.9
    assert paper["learning_rate"] == 1e-3
    assert round(paper["decay_at"] * paper["steps"]) == 20_000
    assert paper["steps"] == 30_000
    assert paper["head_layers"] == 3
    assert paper["backbone"] == "vgg16"
    assert told["batch"]["section"] == "OAA 4.1"


def test_describe_and_help_import_neither_torch_nor_gradio_nor_sqlite_utils():
    code = (
        "import sys; from training.cli import main; main(['describe'])\n"
        "try: main(['classify', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'torchvision', 'gradio', 'sqlite_utils', 'pydensecrf', 'cv2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
