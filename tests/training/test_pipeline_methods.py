"""Every method from tags to predictions, as short as its recipes allow."""

from pathlib import Path

import pytest

from .pipelines import chain, listed, pipe

SHORT = {
    "seenet": ("attention", "segmenter"),
    "oaa+": ("attention", "integral", "segmenter"),
    "dcsp": ("joint",),
    "ecsnet": ("attention", "labels", "segmenter"),
    "sal": ("attention", "labels", "segmenter"),
    "full": ("segmenter",),
}
MORE = {
    "oaa+": ["attention.gate=none", "attention.warmup_passes=0", "labels.crf=none"],
    "dcsp": [
        "joint.fcan_steps=3", "joint.processes=1", "joint.erasing_steps=1", "predictions.crf=none",
        "predictions.scales=1",
    ],
    "ecsnet": ["attention.patience=0", "labels.seeds=thresholds"],
    "sal": [
        "attention.gate=none", "attention.warmup_passes=0", "labels.crf=none",
        "labels.constrain=no", "scorer.steps=3", "scorer.size=32", "segmenter.keep=4",
        "segmenter.by=SC", "predictions.crf=none",
    ],
}  # fmt: skip


@pytest.mark.parametrize("method", SHORT)
def test_a_method_gets_from_tags_to_predictions(
    scenes: Path, tmp_path: Path, method: str, long_sweep: bool
):
    if not long_sweep:
        pytest.skip("each takes half a minute: make test-long")
    short = [
        f"{stage}.{option}"
        for stage in SHORT[method]
        for option in ("size=48", "batch=4", "steps=3", "warmup=0")
    ]
    out = tmp_path / "out"
    how = ["--preset", "scenes", "--weights", "none", "--device", "cpu", "--precision", "32"]
    words = ["--method", method, *how, "--set", *short, *MORE.get(method, [])]
    assert pipe(scenes, out, how=words) == 0
    assert [row["state"] for row in chain(out)] == ["done"] * len(chain(out))
    assert {path.stem for path in (out / "predictions").iterdir()} == listed(scenes, "val")
    labels = {path.stem for path in (out / "labels").glob("*.png")}
    assert labels == (set() if method == "full" else listed(scenes, "train"))
    references = {path.stem for path in (out / "references").glob("*.png")}
    assert references == (listed(scenes, "train") if method == "sal" else set())
