"""Which code a stage's digest covers: all that its module imports, by what it does."""

from pathlib import Path

import pytest

from training.recipes import recipe_names
from training.stages import code


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of four modules: training.learn -> backend.sums -> backend.front (a package)."""
    files = {
        "training/learn.py": (
            '"""Learns."""\nfrom training.options import option\nfrom backend.sums import total\n'
            "class Settings:\n    rate: float = option(1.0)\n    kept: float = 2.0\n"
            "    def twice(self):\n        return 2 * self.rate\n"
            "def run():\n    from backend.front import far\n    return far(total())\n"
        ),
        "training/options.py": "def option(value):\n    return value\n",
        "backend/sums.py": (
            "from backend.big import LIMIT\ndef total():\n    # Why.\n    return 1 + LIMIT\n"
        ),
        "backend/big.py": "import backend.huge\nLIMIT = 3\n",
        "backend/huge.py": "x = 1\n",
        "backend/front/__init__.py": "from backend.front.far import far\nother = print\n",
        "backend/front/far.py": "def far(x):\n    return x\n",
        "backend/front/other.py": "def other():\n    return 5\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(code, "ROOT", tmp_path)
    code.forget()
    yield tmp_path
    code.forget()


def changed(project: Path, name: str, old: str, new: str) -> bool:
    """Whether the digests of training.learn change with a file."""
    before = code.code_of("training.learn")
    path = project / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    code.forget()
    return code.code_of("training.learn") != before


def test_imports_are_followed_also_within_functions_and_through_a_packages_front(project: Path):
    assert set(code.code_of("training.learn")) == {
        "training/learn.py", "backend/sums.py", "backend/big.py:LIMIT", "backend/front/far.py",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("training/learn.py", "2 * self.rate", "3 * self.rate"),
        ("training/learn.py", "kept: float = 2.0", "kept: float = 4.0"),
        ("backend/sums.py", "1 + LIMIT", "2 + LIMIT"),
        ("backend/big.py", "LIMIT = 3", "LIMIT = 4"),
        ("backend/front/far.py", "return x", "return -x"),
    ],
)
def test_what_does_something_else_has_another_digest(project: Path, name: str, old: str, new: str):
    assert changed(project, name, old, new)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("training/learn.py", '"""Learns."""', '"""Learns well."""'),
        # An option's value stands in the digest by itself.
        ("training/learn.py", "option(1.0)", "option(2.0)"),
        ("backend/sums.py", "# Why.", "# Because."),
        ("backend/sums.py", "    return 1 + LIMIT", "    return (\n        1 + LIMIT)"),
        ("backend/front/other.py", "return 5", "return 6"),
        ("backend/huge.py", "x = 1", "x = 2"),
        ("training/options.py", "return value", "return [value]"),
    ],
)
def test_words_layout_and_what_has_no_effect_do_not_count(
    project: Path, name: str, old: str, new: str
):
    assert not changed(project, name, old, new)


def test_every_recipe_stands_on_its_own_file_and_none_on_the_command_line():
    for name in recipe_names():
        found = code.code_of(f"training.recipes.{name}")
        assert f"training/recipes/{name}.py" in found
        assert not {"training/cli.py", "training/events.py"} & set(found)
    assert "training/loop.py" in code.code_of("training.recipes.oaa")


def test_what_is_said_to_have_no_effect_is_there():
    for name in code.WITHOUT_EFFECT:
        assert code._file(name.removesuffix(".*")) is not None, name
