"""A trainer that trains nothing: it speaks as `python -m training` does, in milliseconds.

The options after the recipe's name shape the run: --steps N, --pause SECONDS, --end how it ends
(finished, failed, silent, crash, deaf: ignores SIGTERM). `describe` tells of these; `check` refuses
an order to end refused.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

if sys.argv[1:] == ["describe"]:
    option = {"choices": [], "help": "", "section": "", "minimum": None, "maximum": None}
    known = [
        option | {"name": "steps", "flag": "--steps", "type": "int", "default": {"light": 5}},
        option | {"name": "pause", "flag": "--pause", "type": "float", "default": {"light": 0.01}},
        option | {"name": "end", "flag": "--end", "type": "str", "default": {"light": "finished"}},
        option | {"name": "weights", "flag": "--weights", "type": "str", "default": {"light": ""}},
    ]
    about = {"title": "Fake", "summary": "Trains nothing.", "presets": ["light"], "options": known}
    recipes = {name: about for name in ("classify", "labels", "scenes")}
    print(json.dumps({"format": 1, "recipes": recipes}))
    sys.exit(0)

if sys.argv[1] == "check":
    # What it says of an order is in the order: --end refused.
    refused = "refused" in sys.argv
    print("tagmask: This order is refused." if refused else "", file=sys.stderr)
    sys.exit(2 if refused else 0)

parser = argparse.ArgumentParser()
parser.add_argument("recipe")
parser.add_argument("--out", type=Path)
parser.add_argument("--data")
parser.add_argument("--preset")
parser.add_argument("--weights")
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--pause", type=float, default=0.01)
parser.add_argument("--end", default="finished")
parser.add_argument("--resume", action="store_true")
options = parser.parse_args()

stopping = False


def stop(*_: object) -> None:
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, signal.SIG_IGN if options.end == "deaf" else stop)
options.out.mkdir(parents=True, exist_ok=True)
path = options.out / "events.jsonl"
checkpoint = options.out / "checkpoint-last.json"
seq = path.read_bytes().count(b"\n") if path.exists() else 0


def say(kind: str, **fields: object) -> None:
    global seq
    event = {"seq": seq, "time": time.time(), "kind": kind, **fields}
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(event) + "\n")
    seq += 1


start = json.loads(checkpoint.read_text())["step"] if options.resume else 0
print("the fake trainer starts at step", start, flush=True)
say("started", resumed=options.resume, pid=os.getpid())
for step in range(start + 1, options.steps + 1):
    say("progress", step=step, steps=options.steps, loss={"total": 1 / step})
    partial = checkpoint.with_suffix(".partial")
    partial.write_text(json.dumps({"step": step}))
    partial.replace(checkpoint)
    (options.out / "heartbeat").touch()
    time.sleep(options.pause)
    if stopping:
        say("cancelled")
        sys.exit(143)
if options.end == "failed":
    say("failed", error="The fake trainer was told to fail.")
    sys.exit(2)
if options.end == "silent":
    sys.exit(0)
if options.end == "crash":
    sys.exit("ModuleNotFoundError: No module named 'torch'")
(options.out / "weights.safetensors").write_bytes(b"not really weights")
say("finished", metrics={"miou": 47.5}, weights="weights.safetensors", maps=0, labels=0)
