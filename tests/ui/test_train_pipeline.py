"""A pipeline from the page: what may be asked, where its stages lie, what is told of its chain."""

import json
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.labels import write_labels
from backend.supervisor.products import take_products_in
from backend.workspace import Workspace


def command(client: TestClient, **options: Any) -> tuple[int, str]:
    """The status and the command line, or the sentence, of an order for a pipeline."""
    order = {"recipe": "pipeline", "data": "tagged", "options": {"preset": "scenes", **options}}
    answer = client.get("/tagmask/api/train/command", params={"order": json.dumps(order)})
    return answer.status_code, answer.json().get("command") or answer.json()["error"]


def test_the_form_asks_what_a_page_may_choose(client: TestClient) -> None:
    about = client.get("/tagmask/api/train/setup").json()["recipes"]["pipeline"]
    names = {option["name"] for option in about["options"]}
    assert {"method", "saliency", "backbone", "weights", "set_", "seed", "device"} <= names
    assert not names & {"stages", "test", "strong"}
    assert about["presets"] == ["paper", "light", "scenes"]
    method = next(option for option in about["options"] if option["name"] == "method")
    assert method["choices"][:3] == ["seenet", "oaa", "oaa+"]


def test_the_method_is_always_said(client: TestClient) -> None:
    assert "--method oaa " in command(client)[1]


def test_pipelines_of_a_workspace_share_their_stages(
    client: TestClient, workspace: Workspace
) -> None:
    status, line = command(client, method="oaa+", set_="labels.gamma=0.3 segmenter.epochs=5")
    assert status == 200
    assert "pipeline --data " in line
    assert "--preset scenes --method oaa+ " in line
    assert "--set 'labels.gamma=0.3 segmenter.epochs=5'" in line
    assert f"--stages {workspace.runs / 'stages'}" in line


PATH = "/any/path"

# Options of an order, and what is said of it: the page's own sentences, then the trainer's.
REFUSED = (
    ({"stages": "/tmp"}, "--stages cannot be given from the page"),
    ({"test": "../../secret"}, "--test cannot be given from the page"),
    ({"strong": "val"}, "--strong cannot be given from the page"),
    ({"set_": "attention.weights=/etc/passwd"}, "cannot be set for one stage from the page"),
    ({"set_": "labels.saliency=folder:/etc"}, "cannot be set for one stage from the page"),
    ({"set_": "segmenter.from=/etc segmenter.epochs=2"}, "cannot be set for one stage"),
    ({"set_": "segmenter.from_=/etc"}, "cannot be set for one stage"),
    ({"set_": "labels.gamma='0.3"}, "The options of stages cannot be read"),
    ({"set_": "--out=/tmp"}, "a value cannot begin with a dash"),
    ({"saliency": "folder:/etc"}, "There is no saliency"),
    ({"method": "best"}, "--method is 'best'; it can be seenet"),
    ({"set_": "joint.from=/etc"}, "cannot be set for one stage"),
    ({"set_": "labels.gama=1"}, "The stage labels has no option 'gama'; it has saliency"),
    ({"set_": "segmenter.epochs=-1"}, "--epochs is -1; it must be"),
    (
        {"method": "ecsnet", "set_": "attention.epochs=3 attention.patience=3"},
        "--patience is 3 and --epochs 3",
    ),
)


def test_a_page_names_no_file_and_no_folder_and_hears_what_the_trainer_refuses(
    client: TestClient,
) -> None:
    for given, sentence in REFUSED:
        status, said = command(client, **given)
        assert (status, sentence in said) == (400, True), (given, said)


def places() -> list[tuple[str, str]]:
    """(method, --set words) for every option of every stage that takes any text, such as a path."""
    from training.errors import TrainingError
    from training.stages.chains import METHODS, Wishes, chain_of

    found = []
    for method in METHODS:
        for stage in chain_of(method, Wishes("scenes", None, "val"), {}):
            for name, option in stage.options.items():
                try:
                    option.check(option.parse(PATH))
                except TrainingError:
                    continue  # Numbers, or one of a few words.
                if option.kind != "flag":
                    found.append((method, f"{stage.name}.{name}={PATH}"))
    return found


def test_no_option_of_any_stage_takes_a_path_from_the_page(client: TestClient) -> None:
    asked = places()
    names = {words.partition("=")[0].partition(".")[2] for _, words in asked}
    assert {"weights", "begin_with", "saliency", "strong", "from_", "run", "scorer", "scores"} <= (
        names
    )
    for method, words in asked:
        option, _, path = words.partition("=")
        # As the option is called, as it is typed on a command line, and with its underscore.
        for spelled in (option, option.replace("_", "-"), option.rstrip("_"), f"{option}_"):
            status, said = command(client, method=method, set_=f"{spelled}={path}")
            refused = "cannot be set for one stage from the page" in said
            assert (status, refused) == (400, True), (method, spelled, said)


@pytest.mark.parametrize("name", ["affinity", "masks", "validation", "stages", "test"])
def test_nor_do_places_of_recipes_that_are_no_stage_yet(client: TestClient, name: str) -> None:
    status, said = command(client, set_=f"segmenter.{name}={PATH}")
    assert (status, "cannot be set for one stage from the page" in said) == (400, True)


def test_an_order_that_would_fail_at_its_turn_is_not_queued(
    client: TestClient, workspace: Workspace
) -> None:
    options = {"preset": "scenes", "method": "oaa", "set_": "labels.gamma=2"}
    order = {"recipe": "pipeline", "data": "tagged", "options": options}
    answer = client.post("/tagmask/api/train/submit", json=order)
    assert answer.status_code == 400
    assert "--gamma is 2.0; it must be from 0 to 1." in answer.text
    assert workspace.store.jobs.all() == []
    assert workspace.store.snapshots.all() == []


@pytest.fixture
def job(workspace: Workspace) -> int:
    """A running pipeline, its first stage reused and its second at work."""
    jobs = workspace.store.jobs
    made = jobs.submit("pipeline", ["--preset", "scenes", "--method", "oaa"], by="ada")
    jobs.claim("test")
    rows = [
        {"name": "attention", "title": "Attention (OAA)", "state": "reused", "figures": {}},
        {"name": "labels", "title": "Proxy labels", "state": "running", "figures": {}},
    ]
    told = [
        {"kind": "chain", "stages": rows},
        {"kind": "progress", "stage": "labels", "step": 3, "steps": 6, "done": 1, "of": 2,
         "part": "fusing", "loss": 0.5},
    ]  # fmt: skip
    events = [{"seq": seq, "time": time.time(), **event} for seq, event in enumerate(told)]
    jobs.append_events(made.id, events, offset=0)
    return made.id


def test_the_chain_and_its_progress_are_told(client: TestClient, job: int) -> None:
    news = client.get("/tagmask/api/train/jobs", params={"job": job}).json()
    (row,) = news["jobs"]
    assert row["method"] == "oaa"
    assert row["progress"] == {
        "stage": "labels", "step": 3, "steps": 6, "done": 1, "of": 2, "part": "fusing", "loss": 0.5,
    }  # fmt: skip
    (chain,) = [event for event in news["job"]["told"] if event["kind"] == "chain"]
    assert [stage["state"] for stage in chain["stages"]] == ["reused", "running"]
    # Stages count steps of their own, which are no curve of the job's.
    assert news["job"]["points"] == []


def test_a_finished_pipeline_leaves_its_segmenter_and_what_can_be_reviewed(
    workspace: Workspace, job: int
) -> None:
    import numpy as np

    folder = workspace.runs / "1-pipeline"
    for name, values in (("image0", (0, 1)), ("image1", (255, 255))):
        labels = np.full((24, 32), values[0], np.uint8)
        labels[:9] = values[1]
        write_labels(folder / "labels" / f"{name}.png", labels)
    (folder / "config.json").write_text('{"method": "oaa"}')
    (folder / "weights.safetensors").write_bytes(b"the segmenter")
    before = workspace.store.candidates.queue(order="newest", verdict="all").total
    word = {"kind": "finished", "weights": "weights.safetensors", "metrics": {"miou": 51.0}}
    (said,) = take_products_in(workspace, workspace.store.jobs.get(job), folder, word)
    # Nothing is known of image1: there is nothing in its mask to accept or to reject.
    assert said == "New candidates for review: 1."
    queue = workspace.store.candidates.queue(order="newest", verdict="all")
    assert (queue.total - before, queue.rows[0].method) == (1, "oaa")
    run = workspace.store.runs.of_job(job)
    assert (run.metrics, str(run.weights_path)) == ({"miou": 51.0}, "weights.safetensors")


def test_full_supervision_offers_nothing(workspace: Workspace, job: int) -> None:
    folder = workspace.runs / "1-pipeline"
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"the segmenter")
    word = {"kind": "finished", "weights": "weights.safetensors", "metrics": {}}
    assert take_products_in(workspace, workspace.store.jobs.get(job), folder, word) == []
