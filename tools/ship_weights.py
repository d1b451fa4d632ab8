"""Puts a finished run's weights into weights/ with their manifest entry.

    python tools/ship_weights.py RUN NAME --command "python -m training scenes ... && ..."

The command is what anyone would type to make them again; the one in the run's own card, which
names folders of the machine it ran on, is replaced by it.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from backend.weights import load, save  # noqa: E402
from backend.weights.networks import MANIFEST_FORMAT, WEIGHTS_FOLDER  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--command", required=True)
    options = parser.parse_args()
    network, card = load(options.run)
    metrics = card.origin["metrics"]
    origin = {
        "text": "trained by Tagmask's recipe classify on Scenes, from random weights",
        "command": options.command,
        "seed": card.origin["seed"],
        "metrics": metrics,
    }
    target = WEIGHTS_FOLDER / f"{options.name}.safetensors"
    shipped = save(target, network, replace(card, name=options.name, origin=origin))
    target.chmod(0o644)
    entry = {
        "name": options.name,
        "file": target.name,
        "sha256": shipped.digest,
        "backbone": card.backbone,
        "command": options.command,
        "seed": card.origin["seed"],
        "metrics": metrics,
    }
    manifest = WEIGHTS_FOLDER / "manifest.json"
    known = json.loads(manifest.read_text())["weights"] if manifest.exists() else []
    weights = [each for each in known if each["name"] != options.name] + [entry]
    manifest.write_text(
        json.dumps({"format": MANIFEST_FORMAT, "weights": weights}, indent=2) + "\n"
    )
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MB, {metrics}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
