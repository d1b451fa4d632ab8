"""Histogram, sides of tau and the orders by scores through the web routes."""

import time

import pytest
from fastapi.testclient import TestClient

from backend.store import Filter
from backend.store.scores import give
from backend.workspace import Workspace

API = "/tagmask/api/curate/"
MANY = 20_000
# Of one page or histogram, in the processor's own time: a busy machine makes the clock lie.
MOST_SECONDS = 0.05


@pytest.fixture
def scored(workspace: Workspace) -> Workspace:
    """SF of the three candidates: 0.31, 0.6 and none."""
    workspace.store.candidates.rescore([(1, {"SF": 0.31, "P": 0.4}), (2, {"SF": 0.6})], None)
    return workspace


def test_the_page_is_told_counts_and_never_rows(client: TestClient, scored: Workspace) -> None:
    found = client.get(f"{API}histogram", params={"by": "SF"}).json()
    assert len(found["counts"]) == 100
    assert {at: count for at, count in enumerate(found["counts"]) if count} == {31: 1, 60: 1}
    assert (found["by"], found["without"]) == ("SF", 1)
    narrowed = client.get(f"{API}histogram", params={"by": "SF", "tag": 2}).json()
    assert (sum(narrowed["counts"]), narrowed["without"]) == (1, 0)
    assert client.get(f"{API}setup").json()["scores"] == ["SC", "P", "SF"]


def test_the_order_by_tau_says_how_far_each_is(client: TestClient, scored: Workspace) -> None:
    query = {"order": "tau", "by": "SF", "tau": 0.35}
    rows = client.get(f"{API}queue", params=query).json()["rows"]
    assert [(row["image_name"], row["why"]) for row in rows] == [
        ("image0", "SF 0.31, 0.04 from tau"),
        ("image1", "SF 0.60, 0.25 from tau"),
        ("image2", "has no SF, so it comes last"),
    ]


def test_the_orders_by_scores_say_why(client: TestClient, scored: Workspace) -> None:
    fine = client.get(f"{API}queue", params={"order": "fine"}).json()["rows"]
    assert [row["why"] for row in fine] == [
        "lowest SF first: 0.31",
        "lowest SF first: 0.60",
        "has no SF, so it comes last",
    ]
    apart = client.get(f"{API}queue", params={"order": "disagreement"}).json()["rows"]
    assert [row["why"] for row in apart[:2]] == [
        "SC 0.20, SF 0.31: 0.11 apart",
        "SC 0.50, SF 0.60: 0.10 apart",
    ]


def test_the_sides_of_tau_are_the_nearest_masks(client: TestClient, scored: Workspace) -> None:
    found = client.get(f"{API}sides", params={"by": "SF", "tau": 0.6, "limit": 3}).json()
    assert [row["image_name"] for row in found["below"]] == ["image0"]
    assert [row["image_name"] for row in found["above"]] == ["image1"]


def test_a_candidates_scorings_are_told_the_newest_first(
    client: TestClient, scored: Workspace
) -> None:
    told = client.get(f"{API}scores/1").json()["scorings"]
    assert [each["scores"] for each in told] == [{"SF": 0.31, "P": 0.4}, {"SC": 0.2}]


@pytest.mark.parametrize(
    "path",
    [
        "histogram?by=IoU",
        "sides?by=IoU&tau=0.5",
        "sides?tau=2",
        "sides?tau=nan",
        "sides?tau=0.5&limit=1000",
        "queue?order=tau&tau=-1",
        "queue?order=tau&by=scores",
        "queue?order=tau&verdict=vibes",
        "scores/99999999999999999999",
    ],
)
def test_nonsense_is_refused_with_a_sentence(client: TestClient, path: str) -> None:
    answer = client.get(f"{API}{path}")
    assert 400 <= answer.status_code < 500
    assert len(answer.json()["error"]) > 10


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Twenty thousand candidates of ten thousand images, nine of ten with all five scores."""
    root = tmp_path_factory.mktemp("many") / "workspace"
    made = Workspace.create(root, "Many", classes=("cat", "dog"))
    with made.store.connections.write() as database:
        for number in range(1, MANY // 2 + 1):
            database.execute(
                "INSERT INTO images (id, name, digest, width, height, source, added)"
                " VALUES (?, ?, ?, 32, 24, 't', 0)",
                [number, f"image{number:05d}", f"{number:064x}"],
            )
            database.execute("INSERT INTO image_tags VALUES (?, ?)", [number, 1 + number % 2])
        for number in range(1, MANY + 1):
            database.execute(
                "INSERT INTO candidates (id, image_id, method, digest, shuffle, added)"
                " VALUES (?, ?, 'm', ?, ?, 0)",
                [number, 1 + number % (MANY // 2), f"{MANY + number:064x}", number * 7919 % 65536],
            )
            if number % 10:
                coarse, fine = (number * 7919 % 10007) / 10007, (number * 104729 % 10007) / 10007
                scores = {"AC": coarse, "CD": 1.0, "SC": coarse, "P": fine, "SF": fine}
                give(database, number, None, scores, 0.0)
    return made


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.queue("fine"),
        lambda store: store.queue("disagreement"),
        lambda store: store.queue("tau", by="SF", tau=0.55),
        lambda store: store.queue("tau", by="AC", tau=0.2),
        lambda store: store.queue("tau", by="SF", tau=0.55, offset=MANY // 2),
        lambda store: store.queue("tau", by="SC", tau=0.55, tag=1),
        lambda store: store.queue("tau", by="SF", tau=0.55, verdict="all"),
        lambda store: store.spread("SF", Filter()),
        lambda store: store.spread("CD", Filter()),
        lambda store: store.spread("SF", Filter(verdict="all", tag=2)),
        lambda store: store.either_side("P", 0.55, Filter(), 12),
    ],
    ids=lambda act: None,
)
def test_twenty_thousand_candidates_are_no_burden(many: Workspace, act) -> None:
    times = []
    for _ in range(5):
        began = time.thread_time()
        found = act(many.store.candidates)
        times.append(time.thread_time() - began)
    assert found
    assert min(times) < MOST_SECONDS
