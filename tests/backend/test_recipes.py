"""Asking the trainer for its recipes, and turning what a person entered into its words."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.errors import JobError
from backend.recipes import RecipeBook, option_words

ANSWER = {
    "format": 1,
    "recipes": {
        "classify": {
            "title": "Classification",
            "summary": "",
            "presets": ["paper", "light"],
            "options": [
                {"name": "backbone", "flag": "--backbone", "type": "choice", "choices": ["a", "b"]},
                {
                    "name": "learning_rate",
                    "flag": "--learning-rate",
                    "type": "float",
                    "choices": [],
                    "minimum": 0,
                    "maximum": 1,
                },
                {"name": "epochs", "flag": "--epochs", "type": "int", "choices": [], "minimum": 1},
                {"name": "flip", "flag": "--flip", "type": "flag", "choices": []},
                {"name": "weights", "flag": "--weights", "type": "str", "choices": []},
            ],
        }
    },
}
CLASSIFY = ANSWER["recipes"]["classify"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder whose trainer counts how often it was asked."""
    package = tmp_path / "training"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        "import pathlib; open('asked', 'a').write('x')\nprint(pathlib.Path('answer').read_text())\n"
    )
    (tmp_path / "answer").write_text(json.dumps(ANSWER))
    return tmp_path


def book(project: Path, cache: Path | None = None) -> RecipeBook:
    return RecipeBook(cache, [sys.executable, "-m", "training"], project)


def asked(project: Path) -> int:
    return len((project / "asked").read_text())


def test_the_trainer_is_asked_once(project: Path) -> None:
    recipes = book(project)
    assert recipes.all() == ANSWER["recipes"]
    assert recipes.all() == ANSWER["recipes"]
    assert asked(project) == 1


def test_the_next_process_need_not_ask(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "recipes.json"
    book(project, cache).all()
    assert book(project, cache).all() == ANSWER["recipes"]
    assert asked(project) == 1


def test_a_changed_trainer_is_asked_again(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "recipes.json"
    recipes = book(project, cache)
    recipes.all()
    os.utime(project / "training" / "__init__.py", (2_000_000_000, 2_000_000_000))
    recipes.all()
    assert asked(project) == 2


@pytest.mark.parametrize("damage", ["", "{", '{"key": 1}', "[]", '{"key": "x", "answer": {}}'])
def test_a_damaged_cache_is_not_believed(project: Path, tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "recipes.json"
    cache.write_text(damage)
    assert book(project, cache).all() == ANSWER["recipes"]


def test_a_broken_trainer_is_a_sentence_with_its_reason(project: Path) -> None:
    (project / "training" / "__main__.py").write_text("import no_such_module")
    with pytest.raises(JobError, match=r"could not describe.*No module named 'no_such_module'"):
        book(project).all()


def test_a_mended_trainer_is_asked_again_at_once(project: Path) -> None:
    main = project / "training" / "__main__.py"
    good = main.read_text()
    main.write_text("raise SystemExit('broken')")
    recipes = book(project)
    with pytest.raises(JobError, match="broken"):
        recipes.all()
    main.write_text(good)
    assert recipes.all() == ANSWER["recipes"]


@pytest.mark.parametrize(
    "answer", ["", "hello", "[]", '{"format": 2, "recipes": {}}', '{"format": 1, "recipes": {}}']
)
def test_an_answer_that_describes_nothing_is_a_sentence(project: Path, answer: str) -> None:
    (project / "answer").write_text(answer)
    with pytest.raises(JobError, match="cannot be read"):
        book(project).all()


def test_a_trainer_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="could not be started"):
        RecipeBook(None, ["/no/such/python"], tmp_path).all()


def test_the_real_trainer_describes_classify() -> None:
    about = RecipeBook().all()["classify"]
    assert "light" in about["presets"]
    assert option_words("classify", about, {"preset": "light", "seed": 3, "flip": False}) == [
        *("--preset", "light", "--seed", "3", "--no-flip")
    ]


def test_the_real_trainer_refuses_parts_that_need_one_another(tmp_path: Path) -> None:
    book = RecipeBook()
    line = ["ecsnet", "--data", str(tmp_path / "manifest.json"), "--out", str(tmp_path / "run")]
    book.check(line)
    for _ in range(2):
        with pytest.raises(JobError, match=r"^--no-erasing leaves no second pass"):
            book.check([*line, "--no-erasing"])
    assert not (tmp_path / "run").exists()


def test_a_check_is_asked_once_and_anew_when_the_trainer_changed(project: Path) -> None:
    one = book(project)
    for _ in range(3):
        one.check(["classify", "--epochs", "3"])
    assert asked(project) == 1
    one.check(["classify", "--epochs", "4"])
    assert asked(project) == 2
    (project / "training" / "new.py").write_text("")
    one.check(["classify", "--epochs", "4"])
    assert asked(project) == 3


def test_no_more_answers_are_kept_than_needed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.recipes._REMEMBERED", 2)
    one = book(project)
    for number in (1, 2, 3, 1):
        one.check([str(number)])
    assert asked(project) == 4


def test_what_was_entered_becomes_words_in_the_recipes_order() -> None:
    values = {"epochs": "4", "backbone": "b", "preset": "light", "flip": True, "weights": ""}
    assert option_words("classify", CLASSIFY, values) == [
        *("--preset", "light", "--backbone", "b", "--epochs", "4", "--flip")
    ]
    assert option_words("classify", CLASSIFY, {"flip": False, "learning_rate": None}) == [
        "--no-flip"
    ]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"backbone": "c"}, "--backbone is 'c'; it can be a, b."),
        ({"epochs": "2.5"}, "--epochs is '2.5'; it takes a whole number."),
        ({"epochs": 0}, "--epochs is 0; it must be at least 1."),
        ({"learning_rate": "fast"}, "--learning-rate is 'fast'; it takes a number."),
        ({"learning_rate": "nan"}, "--learning-rate is 'nan'; it takes a number."),
        ({"learning_rate": 2}, "--learning-rate is 2; it must be at least 0 and at most 1."),
        ({"weights": "--out=/etc"}, "--weights is '--out=/etc'; a value cannot begin with a dash."),
        ({"preset": "huge"}, "classify has no preset 'huge'; it has paper, light."),
        ({"colour": 1}, "classify has no option 'colour'; it has backbone, learning_rate, epochs"),
    ],
)
def test_what_the_trainer_would_refuse_is_refused_first(
    values: dict[str, Any], reason: str
) -> None:
    with pytest.raises(JobError) as refusal:
        option_words("classify", CLASSIFY, values)
    assert str(refusal.value).startswith(reason)
