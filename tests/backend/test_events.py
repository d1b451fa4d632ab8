"""The reader of events.jsonl: nothing lost, nothing doubled, nothing fatal."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.events import Event, Position, read_events


def line(seq: int, kind: str = "progress", **more: object) -> bytes:
    return json.dumps({"seq": seq, "time": 100.0 + seq, "kind": kind, **more}).encode() + b"\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def read_all(path: Path, position: Position = Position()) -> tuple[list[Event], Position]:
    events: list[Event] = []
    while True:
        more, position = read_events(path, position, now=1.0)
        if not more:
            return events, position
        events += more


def test_a_missing_file_has_no_events(file: Path) -> None:
    assert read_events(file, Position()) == ([], Position())


def test_a_folder_in_the_files_place_has_no_events(file: Path) -> None:
    file.mkdir()
    assert read_events(file, Position()) == ([], Position())


def test_only_what_is_new_is_read(file: Path) -> None:
    file.write_bytes(line(0, "started") + line(1, step=1))
    first, position = read_events(file, Position())
    assert [event["kind"] for event in first] == ["started", "progress"]
    with file.open("ab") as out:
        out.write(line(2, step=2))
    second, position = read_events(file, position)
    assert [(event["seq"], event["step"]) for event in second] == [(2, 2)]
    assert read_events(file, position) == ([], position)


def test_a_torn_last_line_waits_for_its_end(file: Path) -> None:
    whole = line(1, step=7)
    file.write_bytes(line(0, "started") + whole[:11])
    first, position = read_events(file, Position())
    assert len(first) == 1
    assert read_events(file, position) == ([], position)
    with file.open("ab") as out:
        out.write(whole[11:])
    second, _ = read_events(file, position)
    assert second == [{"seq": 1, "time": 101.0, "kind": "progress", "step": 7}]


def test_a_line_glued_to_a_torn_one_is_saved(file: Path) -> None:
    file.write_bytes(line(0)[:15] + line(1, "started"))
    events, _ = read_events(file, Position(), now=5.0)
    assert [event["kind"] for event in events] == ["message", "started"]
    assert [event["seq"] for event in events] == [0, 1]


@pytest.mark.parametrize(
    "garbage",
    [
        b"not json\n",
        b"\xff\xfe\x00garbage\n",
        b"[1, 2]\n",
        b'"progress"\n',
        b"null\n",
        b'{"kind": "unheard of"}\n',
        b'{"kind": ["progress"]}\n',
        b'{"kind": {"a": 1}}\n',
        b"[" * 5000 + b"\n",
        b'{"kind": "message", "text": ' + b"[" * 900 + b"]" * 900 + b"}}\n",
        b"9" * 5000 + b"\n",
        b"x" * 400_000 + b"\n",
    ],
)
def test_a_garbage_line_is_skipped_and_reported(file: Path, garbage: bytes) -> None:
    file.write_bytes(line(0) + garbage + line(1))
    events, _ = read_all(file)
    assert [event["kind"] for event in events] == ["progress", "message", "progress"]
    assert [event["seq"] for event in events] == [0, 1, 2]
    assert "skipped" in events[1]["text"]


def test_many_garbage_lines_make_one_message(file: Path) -> None:
    file.write_bytes(b"?\n" * 3000 + line(0))
    events, _ = read_all(file)
    assert len(events) == 2
    assert events[0]["text"].startswith("3000 lines")


def test_numbers_a_browser_cannot_hold_become_none(file: Path) -> None:
    numbers = b'"loss":{"total":NaN},"a":1e999,"b":-Infinity,"c":99999999999999999999'
    file.write_bytes(b'{"kind":"progress",' + numbers + b"}\n")
    (event,), _ = read_events(file, Position(), now=3.0)
    assert event["loss"] == {"total": None}
    assert (event["a"], event["b"], event["c"]) == (None, None, None)
    assert event["time"] == 3.0
    json.dumps(event, allow_nan=False)


def test_half_surrogates_do_not_reach_the_database(file: Path) -> None:
    file.write_bytes(b'{"kind":"message","text":"a\\ud800b"}\n')
    (event,), _ = read_events(file, Position())
    assert event["text"].encode("utf-8") == b"a?b"


def test_a_file_that_became_shorter_is_read_on_from_its_end(file: Path) -> None:
    file.write_bytes(line(0) + line(1))
    _, position = read_events(file, Position())
    file.write_bytes(line(0))
    (note,), position = read_events(file, position)
    assert note["kind"] == "message"
    assert "shorter" in note["text"]
    assert note["seq"] == 2
    with file.open("ab") as out:
        out.write(line(5))
    (event,), _ = read_events(file, position)
    assert event["seq"] == 3


def test_numbers_grow_whatever_the_file_says(file: Path) -> None:
    file.write_bytes(line(7) + line(3) + line(3) + line(0))
    events, _ = read_events(file, Position())
    assert [event["seq"] for event in events] == [0, 1, 2, 3]


def test_a_large_file_is_read_in_bounded_pieces(file: Path) -> None:
    file.write_bytes(b"".join(line(seq, text="x" * 1000, kind="message") for seq in range(3000)))
    first, position = read_events(file, Position())
    assert position.offset <= 1 << 20
    rest, _ = read_all(file, position)
    assert [event["seq"] for event in first + rest] == list(range(3000))


LINES = st.lists(
    st.one_of(
        st.integers(0, 99).map(lambda n: line(n, step=n)),
        st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"") + b"\n"),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(lines=LINES, cuts=st.lists(st.integers(0, 400), max_size=6))
def test_no_event_is_lost_or_doubled_however_the_file_grows(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], cuts: list[int]
) -> None:
    whole = b"".join(lines)
    path = tmp_path_factory.mktemp("grow") / "events.jsonl"
    taken: list[Event] = []
    position = Position()
    for cut in [*sorted(cuts), len(whole)]:
        path.write_bytes(whole[:cut])
        events, position = read_events(path, position)
        taken += events
    steps = [event["step"] for event in taken if event["kind"] == "progress"]
    wanted = [json.loads(text)["step"] for text in lines if len(text) > 20]
    assert steps == wanted
    assert [event["seq"] for event in taken] == list(range(len(taken)))


@settings(max_examples=60, deadline=None)
@given(lines=LINES, first=st.integers(0, 400))
def test_reading_again_from_an_old_position_repeats_the_same_numbers(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], first: int
) -> None:
    """What makes (job, seq) a key: a supervisor killed between storing events and storing its
    position reads them again, with more behind them, and finds each under its old number."""
    whole = b"".join(lines)
    path = tmp_path_factory.mktemp("again") / "events.jsonl"
    path.write_bytes(whole[:first])
    before, _ = read_events(path, Position(), now=1.0)
    path.write_bytes(whole)
    after, _ = read_events(path, Position(), now=1.0)
    stored = {event["seq"]: event for event in before}
    for event in after:
        stored.setdefault(event["seq"], event)
    steps = [event["step"] for event in stored.values() if event["kind"] == "progress"]
    assert steps == [json.loads(text)["step"] for text in lines if len(text) > 20]
