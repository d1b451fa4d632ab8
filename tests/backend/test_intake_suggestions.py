"""What runs of suggest and losses leave, taken in by a job's end and by the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from backend.__main__ import main
from backend.errors import DataError
from backend.images import encode_png
from backend.intake.losses import take_in_losses
from backend.intake.suggestions import take_in_suggestions
from backend.store import TagView
from backend.supervisor.products import take_products_in
from backend.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path):
    """Three images: a cat, a dog and one without tags."""
    with Workspace.create(tmp_path / "ws", "Pets", ["cat", "dog"]) as made:
        for number, tags in enumerate(([1], [2], [])):
            photo = encode_png(np.full((9, 9, 3), 40 * number, np.uint8))
            made.store.images.add(f"pet{number}", photo, source="test", tags=tags)
        yield made


def run_folder(root: Path, recipe: str, lines: list[dict | str]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "config.json").write_text(json.dumps({"format": 1, "recipe": recipe, "settings": {}}))
    name = {"suggest": "suggestions.jsonl", "losses": "losses.jsonl"}.get(recipe, "other.jsonl")
    text = "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines)
    (root / name).write_text(text)
    return root


SUGGESTED = [
    {"image": "pet0", "scores": {"Cat": 0.04, "dog": 0.91}},
    {"image": "pet2", "scores": {"cat": 0.7, "horse": 0.99, "dog": 2.0}},
    {"image": "nobody", "scores": {"cat": 1.0}},
    "{torn",
]


def test_scores_come_in_by_image_and_class_name(workspace: Workspace, tmp_path: Path) -> None:
    taken = take_in_suggestions(
        workspace.store, run_folder(tmp_path / "run", "suggest", SUGGESTED), None
    )
    assert (taken.images, taken.strangers, taken.refused.count) == (2, ("horse",), 1)
    said = " ".join(taken.sentences())
    assert "looked at 2 images" in said
    assert "horse, which is no class" in said
    assert "no image nobody" in said
    store = workspace.store
    found = {
        (each.image_id, each.class_id): each.score
        for ones in store.suggestions.of([1, 2, 3]).values()
        for each in ones
    }
    # A tag's score is kept however low it is; what is no probability is not.
    assert found == {(1, 1): 0.04, (1, 2): 0.91, (3, 1): 0.7}
    assert [store.images.get(id).tags for id in (1, 2, 3)] == [(1,), (2,), ()]


def test_a_later_classifier_takes_the_earlier_ones_place(
    workspace: Workspace, tmp_path: Path
) -> None:
    store = workspace.store
    run = store.runs.add("suggest 1", "suggest", "runs/1")
    take_in_suggestions(store, run_folder(tmp_path / "a", "suggest", SUGGESTED), None)
    line = {"image": "pet0", "scores": {"cat": 0.9, "dog": 0.1}}
    folder = run_folder(tmp_path / "b", "suggest", [line])
    for _ in range(2):
        take_in_suggestions(store, folder, run)
    assert [(each.class_id, each.score) for each in store.suggestions.of([1])[1]] == [
        (1, 0.9),
        (2, 0.1),
    ]
    numbers = store.suggestions.numbers()
    assert (numbers.images, numbers.run) == (2, "suggest 1")


def test_losses_come_in_and_the_last_line_of_an_image_counts(
    workspace: Workspace, tmp_path: Path
) -> None:
    lines: list[dict | str] = [
        {"image": "pet0", "loss": 0.25},
        {"image": "pet1", "loss": "much"},
        {"image": "pet0", "loss": 1.5},
        {"image": "nobody", "loss": 1.0},
    ]
    run = workspace.store.runs.add("losses 1", "losses", "runs/1")
    taken = take_in_losses(workspace.store, run_folder(tmp_path / "run", "losses", lines), run)
    assert taken.refused.count == 1
    with workspace.store.connections.read() as database:
        rows = database.execute("SELECT loss, loss_run FROM images ORDER BY id").fetchall()
    assert rows == [(1.5, run), (None, None), (None, None)]


@pytest.mark.parametrize("recipe", ["suggest", "losses"])
def test_a_finished_job_is_taken_in(workspace: Workspace, recipe: str) -> None:
    job = workspace.store.jobs.submit(recipe, [], by="ada")
    lines = {"suggest": SUGGESTED, "losses": [{"image": "pet0", "loss": 0.25}]}[recipe]
    folder = run_folder(workspace.runs / f"1-{recipe}", recipe, lines)
    word = {"kind": "finished", "metrics": {"images": 2}, "weights": None}
    said = take_products_in(workspace, job, folder, word)
    assert said
    assert workspace.store.runs.of_job(job.id).finished is not None  # type: ignore[union-attr]
    if recipe == "suggest":
        assert workspace.store.tags.listed(TagView("suggested")) == [1, 3]
    # Done again, as after a crash in the middle, it comes to the same.
    assert take_products_in(workspace, job, folder, word) == said


def test_a_folder_without_lines_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    for take in (take_in_suggestions, take_in_losses):
        with pytest.raises(DataError, match="it is what a run of"):
            take(workspace.store, tmp_path, None)


def test_the_command_line_takes_in_lists_gives_and_undoes(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(workspace.root)
    folder = run_folder(tmp_path / "run", "suggest", SUGGESTED)
    first = workspace.store.snapshots.freeze("one", "ada", include="tagged")
    assert main(["take", root, str(folder)]) == 0
    assert "looked at 2 images" in capsys.readouterr().err
    assert main(["tags", root, "--show", "doubted"]) == 0
    assert capsys.readouterr().out == "pet0\tcat\t+dog 0.91 ?cat 0.04\n"
    given = ["--images", "pet0", "pet2", "--give", "dog", "--take", "cat", "--by", "bob"]
    assert main(["tags", root, *given]) == 0
    assert [workspace.store.images.get(id).tags for id in (1, 3)] == [(2,), (2,)]
    assert workspace.store.images.tag_changes(1)[-1].by == "bob"
    capsys.readouterr()
    assert main(["tags", root, "--since", first.digest[:12]]) == 0
    assert capsys.readouterr().out == "pet0\t+dog -cat\tbob\npet2\t+dog\tbob\n"
    assert main(["tags", root, "--undo", "--by", "bob"]) == 0
    assert [workspace.store.images.get(id).tags for id in (1, 3)] == [(1,), ()]
    assert main(["tags", root, "--undo", "--by", "bob"]) == 0
    assert "no act of bob left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--images", "pet0"], "--give or --take"),
        (["--images", "nobody", "--give", "cat"], "no image 'nobody'"),
        (["--images", "pet0", "--give", "horse"], "no class 'horse'"),
        (["--since", "0123456789"], "no snapshot"),
    ],
)
def test_what_the_command_line_cannot_do_it_says(
    workspace: Workspace, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tags", str(workspace.root), *words]) == 2
    assert sentence in capsys.readouterr().err


def test_only_what_has_something_to_take_is_taken(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["take", str(workspace.root), str(tmp_path)]) == 2
    assert "is not a run's folder" in capsys.readouterr().err
    assert main(["take", str(workspace.root), str(run_folder(tmp_path / "r", "classify", []))]) == 2
    assert "a run of classify" in capsys.readouterr().err
