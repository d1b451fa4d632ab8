"""What a finished run of `score` leaves: new scores of the masks it measured, and references."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.errors import DataError, JobError
from backend.images import encode_png
from backend.intake import take_in_labels
from backend.intake.offering import offer_labels
from backend.intake.scores import take_in_scores
from backend.labels import encode_labels, read_labels
from backend.supervisor.products import take_products_in
from backend.workspace import Workspace

IMAGES = 5
SIZE = (6, 8)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Five images of a cat."""
    with Workspace.create(tmp_path / "workspace", "Scores", classes=("cat",)) as made:
        draw = np.random.default_rng(2)
        for number in range(IMAGES):
            photo = encode_png(draw.integers(0, 255, (*SIZE, 3), np.uint8))
            made.store.images.add(f"image{number}", photo, source="t", tags=[1])
        yield made


def mask(number: int) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    labels[: 1 + number] = 1
    return labels


@pytest.fixture
def labels(workspace: Workspace) -> Path:
    """The folder of a run that labelled every image."""
    folder = workspace.runs / "1-sal"
    (folder / "labels").mkdir(parents=True)
    for number in range(IMAGES):
        (folder / "labels" / f"image{number}.png").write_bytes(encode_labels(mask(number)))
    (folder / "config.json").write_text(json.dumps({"recipe": "sal", "settings": {}}))
    return folder


@pytest.fixture
def scored(workspace: Workspace, labels: Path) -> Path:
    """What `score` wrote of it: SF n tenths, references that are the mask's complement."""
    folder = workspace.runs / "2-score"
    (folder / "references").mkdir(parents=True)
    lines = []
    for number in range(IMAGES):
        score = {"AC": 0.5, "CD": 1.0, "SC": 0.5, "P": number / 10, "SF": number / 10}
        lines.append(json.dumps({"image": f"image{number}", "method": "sal", **score}))
        other = (mask(number) == 0).astype(np.uint8) * 255
        (folder / "references" / f"image{number}.png").write_bytes(encode_png(other))
    (folder / "scores.jsonl").write_text("\n".join(lines) + "\n")
    config = {"recipe": "score", "settings": {"from_": str(labels)}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def offered(workspace: Workspace, numbers: range) -> list[int]:
    return [
        workspace.store.candidates.add(
            number + 1, None, f"method {number % 2}", encode_labels(mask(number)), {"SC": 0.9}
        )
        for number in numbers
    ]


def test_the_candidates_with_these_masks_get_the_scores(workspace: Workspace, scored: Path) -> None:
    ids = offered(workspace, range(IMAGES))
    other = workspace.store.candidates.add(1, None, "other", encode_labels(mask(5)), {"SC": 0.9})
    run = workspace.store.runs.add("score 2", "score", "runs/2-score")
    taken = take_in_scores(workspace.store, scored, run)
    assert (taken.new, taken.known, taken.unoffered, taken.references) == (IMAGES, 0, 0, IMAGES)
    assert taken.refused.count == 0
    for number, id in enumerate(ids):
        row = workspace.store.candidates.row(id)
        assert row.scores["SF"] == number / 10
        assert row.score == 0.5
        reference = read_labels(workspace.store.files.path(row.reference_digest))
        assert ((reference > 127) == (mask(number) == 0)).all()
    assert workspace.store.candidates.get(other).scores == {"SC": 0.9}


def with_digests(scored: Path, labels: Path) -> None:
    """Has the scores say of which label PNG each is, as `score` writes them now."""
    lines = [json.loads(line) for line in (scored / "scores.jsonl").read_text().splitlines()]
    for line in lines:
        content = (labels / "labels" / f"{line['image']}.png").read_bytes()
        line["mask"] = hashlib.sha256(content).hexdigest()
    (scored / "scores.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_scores_of_labels_that_have_changed_since_are_another_masks(
    workspace: Workspace, labels: Path, scored: Path
) -> None:
    """The run made its labels anew and offered them: the old scores are not theirs."""
    with_digests(scored, labels)
    ids = offered(workspace, range(IMAGES))
    anew = encode_labels(mask(5))
    (labels / "labels" / "image1.png").write_bytes(anew)
    new = workspace.store.candidates.add(2, None, "anew", anew)
    taken = take_in_scores(workspace.store, scored, None)
    assert (taken.new, taken.references, taken.refused.count) == (IMAGES - 1, IMAGES - 1, 1)
    assert taken.refused.sentences == [
        "The labels of image1 have changed since they were scored, so these scores are left out. "
        "Run `score` on them again."
    ]
    assert workspace.store.candidates.get(new).scores == {}
    assert workspace.store.candidates.get(ids[1]).scores == {"SC": 0.9}
    assert workspace.store.candidates.get(ids[2]).scores["SF"] == 0.2


def pipeline_run(workspace: Workspace, labels: Path, scored: Path, name: str) -> Path:
    """What `pipeline --method sal` puts out: labels, their scores, references."""
    out = workspace.runs / name
    shutil.copytree(labels / "labels", out / "labels")
    shutil.copytree(scored / "references", out / "references")
    shutil.copy(scored / "scores.jsonl", out / "scores.jsonl")
    return out


def test_a_pipelines_candidates_show_the_reference_that_they_were_scored_against(
    workspace: Workspace, labels: Path, scored: Path
) -> None:
    with_digests(scored, labels)
    out = pipeline_run(workspace, labels, scored, "3-pipeline")
    (out / "references" / "image4.png").write_bytes(b"no picture")
    (out / "references" / "stranger.png").write_bytes(b"no picture")
    job = workspace.store.jobs.submit("pipeline", [], by="ada")
    for _ in range(2):
        said = take_products_in(workspace, workspace.store.jobs.get(job.id), out, {"metrics": {}})
        assert said[1] == f"Reference masks: {IMAGES - 1}."
        assert "The reference mask of image4" in said[2]
        assert "no image stranger" in said[3]
    run = workspace.store.runs.of_job(job.id)
    assert run is not None
    rows = workspace.store.candidates.queue("name", run=run.id).rows
    assert [row.scores["SF"] for row in rows] == [number / 10 for number in range(IMAGES)]
    for number, row in enumerate(rows[:4]):
        assert row.reference_digest is not None
        reference = read_labels(workspace.store.files.path(row.reference_digest))
        assert ((reference > 127) == (mask(number) == 0)).all()
    assert rows[4].reference_digest is None
    assert len(workspace.store.artifacts.of_image(1)) == 1


def test_a_second_pipeline_with_the_same_masks_brings_its_scores_and_references(
    workspace: Workspace, labels: Path, scored: Path
) -> None:
    first = pipeline_run(workspace, labels, scored, "3-pipeline")
    second = pipeline_run(workspace, labels, scored, "4-pipeline")
    whole = encode_png(np.full(SIZE, 255, np.uint8))
    (second / "references" / "image2.png").write_bytes(whole)
    text = (second / "scores.jsonl").read_text().replace('"SF": 0.2', '"SF": 0.8')
    (second / "scores.jsonl").write_text(text)
    for folder in (first, second):
        job = workspace.store.jobs.submit("pipeline", [], by="ada")
        take_products_in(workspace, workspace.store.jobs.get(job.id), folder, {"metrics": {}})
    assert workspace.store.candidates.count() == IMAGES
    row = workspace.store.candidates.queue("name").rows[2]
    assert row.scores["SF"] == 0.8
    assert row.reference_digest == hashlib.sha256(whole).hexdigest()


def test_a_pipelines_labels_that_were_changed_by_hand_come_in_without_scores(
    workspace: Workspace, labels: Path, scored: Path
) -> None:
    with_digests(scored, labels)
    out = pipeline_run(workspace, labels, scored, "3-pipeline")
    (out / "labels" / "image3.png").write_bytes(encode_labels(mask(0)))
    taken = take_in_labels(workspace.store, out, None)
    assert (taken.new, taken.refused.count) == (IMAGES, 1)
    assert "The labels of image3 have changed since they were scored" in taken.refused.sentences[0]
    rows = workspace.store.candidates.queue("name").rows
    assert [row.scores.get("SF") for row in rows] == [0.0, 0.1, 0.2, None, 0.4]


def test_taken_in_twice_nothing_is_doubled(workspace: Workspace, scored: Path) -> None:
    (first, *_) = offered(workspace, range(IMAGES))
    run = workspace.store.runs.add("score 2", "score", "runs/2-score")
    take_in_scores(workspace.store, scored, run)
    again = take_in_scores(workspace.store, scored, run)
    assert (again.new, again.known) == (0, IMAGES)
    assert len(workspace.store.candidates.scorings(first)) == 2
    assert len(workspace.store.artifacts.of_image(1)) == 1


def test_masks_that_are_no_candidates_are_counted_and_told(
    workspace: Workspace, scored: Path
) -> None:
    offered(workspace, range(2))
    taken = take_in_scores(workspace.store, scored, None)
    assert (taken.new, taken.unoffered) == (2, IMAGES - 2)
    assert "3 of the scored masks are not in Curate" in " ".join(taken.sentences())


def test_what_is_offered_after_it_was_scored_comes_with_its_scores(
    workspace: Workspace, labels: Path, scored: Path
) -> None:
    store = workspace.store
    made = store.runs.add("sal 1", "sal", "runs/1-sal")
    with pytest.raises(JobError, match="has not finished"):
        offer_labels(workspace, store.runs.get(made))
    store.runs.finish(made, {})
    run = store.runs.add("score 2", "score", "runs/2-score")
    store.runs.finish(run, {})
    take_in_scores(store, scored, run)
    old = offered(workspace, range(1))
    said = offer_labels(workspace, store.runs.get(made))
    assert said[0] == f"New candidates for review: {IMAGES}."
    rows = store.candidates.queue("fine", run=made).rows
    assert [row.scores["SF"] for row in rows] == [number / 10 for number in range(IMAGES)]
    assert all(row.reference_digest for row in rows)
    assert store.candidates.get(old[0]).verdict == "undecided"
    # Pressed again, it changes nothing.
    assert offer_labels(workspace, store.runs.get(made))[0].startswith(
        f"New candidates for review: 0, {IMAGES} known already"
    )


def test_a_run_without_labels_offers_nothing(workspace: Workspace) -> None:
    run = workspace.store.runs.add("scorer 1", "scorer", "runs/9-scorer")
    workspace.store.runs.finish(run, {})
    with pytest.raises(JobError, match="made no label maps"):
        offer_labels(workspace, workspace.store.runs.get(run))


def test_bad_files_are_refused_one_by_one_and_the_rest_goes_on(
    workspace: Workspace, labels: Path, scored: Path
) -> None:
    offered(workspace, range(IMAGES))
    (labels / "labels" / "image0.png").unlink()
    (scored / "references" / "image1.png").write_bytes(b"no picture")
    (scored / "references" / "image2.png").write_bytes(encode_png(np.zeros((3, 3), np.uint8)))
    (scored / "references" / "image3.png").unlink()
    with (scored / "scores.jsonl").open("a") as file:
        file.write(json.dumps({"image": "stranger", "SC": 1.0}) + "\n{torn")
    taken = take_in_scores(workspace.store, scored, None)
    assert (taken.new, taken.references, taken.refused.count) == (4, 1, 4)
    said = " ".join(taken.refused.sentences)
    assert "The labels of image0" in said
    assert "reference mask of image1" in said
    assert "reference mask of image2 is 3x3 pixels" in said
    assert "no image stranger" in said
    assert [row.scores.get("SF") for row in workspace.store.candidates.queue("name").rows] == [
        None, 0.1, 0.2, 0.3, 0.4,
    ]  # fmt: skip


def test_a_folder_that_does_not_say_whose_labels_it_scored_is_refused(
    workspace: Workspace, scored: Path
) -> None:
    (scored / "config.json").write_text('{"recipe": "score", "settings": {}}')
    with pytest.raises(DataError, match="whose labels"):
        take_in_scores(workspace.store, scored, None)


def test_a_finished_job_of_score_is_taken_in(workspace: Workspace, scored: Path) -> None:
    offered(workspace, range(IMAGES))
    job = workspace.store.jobs.submit("score", [], by="ada")
    word = {"kind": "finished", "metrics": {"SF": 0.2}}
    said = take_products_in(workspace, workspace.store.jobs.get(job.id), scored, word)
    assert said == [f"Candidates with new scores: {IMAGES}. Reference masks: {IMAGES}."]
    run = workspace.store.runs.of_job(job.id)
    assert run is not None
    assert run.metrics == {"SF": 0.2}
    log = workspace.store.candidates.scorings(1)
    assert [each.run_id for each in log] == [run.id, None]
