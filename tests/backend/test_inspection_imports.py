"""Inspection works on a bare machine: proxy labels are made on GPU nodes too."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

BARE = """
import sys
class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("gradio", "pydensecrf", "sqlite_utils", "fastapi"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Bare())
import backend.inspection
print("imported")
"""


def test_inspection_needs_neither_page_nor_database_nor_crf() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "imported", done.stderr
