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
    parser.add_argument("--half", action="store_true", help="keep 16 bits a number, half the size")
    options = parser.parse_args()
    network, card = load(options.run)
    if options.half:
        network.half()
    recipe = json.loads((options.run / "config.json").read_text())["recipe"]
    metrics = card.origin["metrics"]
    origin = {
        "text": f"trained by Tagmask's recipe {recipe} on Scenes, from random weights",
        "command": options.command,
        "seed": card.origin["seed"],
        "metrics": metrics,
    }
    if "masks" in card.origin:
        # Of which classes a saliency network has seen the masks, and of which it has not.
        origin["masks"] = card.origin["masks"]
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
    # An entry keeps its place: the first that fits a backbone is what training begins with.
    weights = [entry if each["name"] == options.name else each for each in known]
    weights += [] if entry in weights else [entry]
    manifest.write_text(
        json.dumps({"format": MANIFEST_FORMAT, "weights": weights}, indent=2) + "\n"
    )
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MB, {metrics}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
