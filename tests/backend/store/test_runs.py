"""Runs and artifacts."""

import pytest

from backend.errors import StoreError
from backend.store import Image, Store


def test_a_run_is_entered_and_finished(store: Store) -> None:
    id = store.runs.add("first", "classify", "runs/1", {"seed": 0})
    run = store.runs.get(id)
    assert (run.name, run.recipe, run.folder, run.config) == (
        "first",
        "classify",
        "runs/1",
        {"seed": 0},
    )
    assert (run.finished, run.metrics, run.weights_path) == (None, {}, None)
    done = store.runs.finish(id, {"miou": 47.5}, "runs/1/weights.safetensors")
    assert (done.metrics, done.weights_path) == ({"miou": 47.5}, "runs/1/weights.safetensors")
    assert done.finished is not None
    assert store.runs.all() == [done]


def test_a_job_has_one_run(store: Store) -> None:
    job = store.jobs.submit("classify", [], by="ada").id
    run = store.runs.add("first", "classify", "runs/1", {}, job)
    assert store.runs.add("again", "classify", "runs/1", {}, job) == run
    found = store.runs.of_job(job)
    assert found is not None
    assert found.id == run
    assert store.runs.of_job(99) is None


def test_an_absent_run_is_explained(store: Store) -> None:
    with pytest.raises(StoreError, match="no run 99"):
        store.runs.get(99)


def test_a_map_is_entered_once(store: Store, image: Image) -> None:
    digest = store.files.put(b"map", ".png")
    run = store.runs.add("first", "labels", "runs/1")
    first = store.artifacts.add(image.id, "cam", digest, tag=1, numbers={"max": 0.5})
    assert store.artifacts.add(image.id, "cam", digest, tag=1) == first
    other = store.artifacts.add(image.id, "cam", digest, tag=1, run_id=run)
    assert other != first
    kept = store.artifacts.get(first)
    assert (kept.stage, kept.tag, kept.digest, kept.numbers) == ("cam", 1, digest, {"max": 0.5})
    assert [each.id for each in store.artifacts.of_image(image.id)] == [first, other]
    assert [each.id for each in store.artifacts.of_image(image.id, run)] == [other]


def test_a_map_needs_its_file_first(store: Store, image: Image) -> None:
    with pytest.raises(StoreError, match="before the artifact"):
        store.artifacts.add(image.id, "cam", "a" * 64)
    with pytest.raises(StoreError, match="no stored map 99"):
        store.artifacts.get(99)
