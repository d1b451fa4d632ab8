"""SECURITY.md promises nothing that is not attacked by a test that exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def promises() -> list[str]:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("- ")]


def test_every_promise_names_a_test_that_attacks_it() -> None:
    assert len(promises()) >= 20
    assert [line for line in promises() if not NAMED.search(line)] == []


def test_every_named_test_exists() -> None:
    missing = []
    for line in promises():
        for file, name in NAMED.findall(line):
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            if name not in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}:
                missing.append(f"{file}::{name}")
    assert missing == []


def test_the_numbers_are_those_of_the_code() -> None:
    from backend import passwords
    from backend.store.logins import IDLE, LASTS
    from ui import login_rate, patience, rules
    from ui.bodies import PATIENCE, SLOWEST
    from ui.routes.transfers import LARGEST_ARCHIVE

    text = " ".join((ROOT / "SECURITY.md").read_text(encoding="utf-8").split())
    assert f"N 2^{passwords.COST.bit_length() - 1}, r {passwords.BLOCK}" in text
    assert f"{login_rate.BY_BOTH} failed tries in a quarter of an hour" in text
    assert login_rate.WINDOW == 15 * 60
    assert f"{login_rate.BY_ADDRESS} from an address" in text
    assert f"{login_rate.BY_NAME} for a name" in text
    assert f"ends after {LASTS / 86400:.0f} days, after {IDLE / 86400:.0f} days of silence" in text
    assert f"{patience.HEADERS_WITHIN:.0f} seconds for the head" in text
    assert f"{PATIENCE:.0f} and a second for every {SLOWEST // 1024} KB" in text
    assert f"uploads {rules.LARGEST_UPLOAD >> 30} GB" in text
    assert f"in pieces {LARGEST_ARCHIVE >> 30} GB" in text
