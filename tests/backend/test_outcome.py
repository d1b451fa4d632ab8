"""What is said of a run that was lost, in the words of the buttons that are shown beside it."""

from pathlib import Path

from backend.launchers import Ended
from backend.supervisor.outcome import judge


def test_a_lost_run_names_the_button_that_it_has(tmp_path: Path) -> None:
    def said() -> str | None:
        ended = Ended(code=None)
        return judge(None, ended, stop_asked=False, killed=False, run=tmp_path).error

    assert said() == (
        "The trainer is gone without a last word. It had saved no checkpoint yet: “Start again” "
        "runs it from the beginning."
    )
    (tmp_path / "checkpoint-00000001.pt").touch()
    assert said() == (
        "The trainer is gone without a last word. Resume goes on from its last checkpoint."
    )
