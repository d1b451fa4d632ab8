"""events.jsonl and the heartbeat, as whoever watches a run sees them."""

import json
import math
import time
from pathlib import Path

import pytest

from backend.events import Position, read_events
from training.errors import TrainingError
from training.events import EventWriter, Heartbeat, last_kind


def test_events_are_numbered_lines_of_json(tmp_path: Path):
    writer = EventWriter(tmp_path)
    writer.write("started", recipe="classify")
    writer.write("progress", step=1, steps=2, loss={"total": 0.5})
    writer.close()
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["seq"] for line in lines] == [0, 1]
    assert [line["kind"] for line in lines] == ["started", "progress"]
    assert abs(lines[0]["time"] - time.time()) < 60
    assert lines[1]["loss"] == {"total": 0.5}


def test_a_resumed_run_numbers_on_and_ends_a_torn_line(tmp_path: Path):
    first = EventWriter(tmp_path)
    first.write("started")
    first.close()
    path = tmp_path / "events.jsonl"
    path.write_text(path.read_text() + '{"seq": 1, "time": 1, "ki')
    second = EventWriter(tmp_path)
    second.write("message", text="resumed")
    second.close()
    lines = path.read_text().splitlines()
    assert json.loads(lines[0])["kind"] == "started"
    assert json.loads(lines[2])["text"] == "resumed"
    # The reader passes over the torn line, says so, and finds what follows.
    kinds = [event["kind"] for event in read_events(path, Position())[0]]
    assert kinds == ["started", "message", "message"]


def test_a_hand_edited_file_does_not_keep_a_run_from_going_on(tmp_path: Path):
    (tmp_path / "events.jsonl").write_bytes(b"not json\n\xff\xfe\n\n{}\n")
    writer = EventWriter(tmp_path)
    writer.write("finished", metrics={})
    writer.close()
    assert last_kind(tmp_path) == "finished"


def test_what_is_not_a_number_is_written_as_null(tmp_path: Path):
    writer = EventWriter(tmp_path)
    writer.write("progress", loss={"total": math.nan, "parts": [math.inf, 1.0]})
    writer.close()
    event = json.loads((tmp_path / "events.jsonl").read_text())
    assert event["loss"] == {"total": None, "parts": [None, 1.0]}


def test_the_last_kind_of_a_run_that_said_nothing_is_none(tmp_path: Path):
    assert last_kind(tmp_path) is None
    (tmp_path / "events.jsonl").write_text("garbage\n")
    assert last_kind(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"events\.jsonl could not be written"):
        EventWriter(tmp_path / "missing")


def test_the_heart_beats_until_it_is_stopped(tmp_path: Path):
    path = tmp_path / "heartbeat"
    with Heartbeat(tmp_path, seconds=0.01):
        seen = set()
        deadline = time.monotonic() + 10
        while len(seen) < 3 and time.monotonic() < deadline:
            if path.exists():
                seen.add(path.stat().st_mtime_ns)
    assert len(seen) == 3
    stopped = path.stat().st_mtime_ns
    time.sleep(0.1)
    assert path.stat().st_mtime_ns == stopped


def test_the_heart_survives_a_folder_that_is_gone(tmp_path: Path):
    folder = tmp_path / "run"
    folder.mkdir()
    with Heartbeat(folder, seconds=0.01) as heart:
        folder.rename(tmp_path / "away")
        time.sleep(0.05)
        assert heart._thread.is_alive()
        folder.mkdir()
        deadline = time.monotonic() + 10
        while not (folder / "heartbeat").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (folder / "heartbeat").exists()
