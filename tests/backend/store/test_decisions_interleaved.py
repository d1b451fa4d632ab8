"""Any interleaving of two reviewers' acts, against a model."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from backend.images import encode_png
from backend.labels import encode_labels
from backend.store import Decision, create_store

CANDIDATES = 3
reviewers = st.sampled_from(("ada", "bob"))


class Reviewing(RuleBasedStateMachine):
    """The model: a list of (reviewer, candidate, verdict) that stand; undo removes one."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tagmask-decisions-"))
        self.store = create_store(self.folder / "tagmask.db", self.folder / "files")
        self.store.classes.add("cat")
        image = self.store.images.add(
            "one", encode_png(np.zeros((2, 2, 3), np.uint8)), source="test"
        ).image
        self.image = image.id
        masks = [encode_labels(np.full((2, 2), n % 2, np.uint8)) for n in range(CANDIDATES)]
        self.candidates = [
            self.store.candidates.add(image.id, None, f"method {n}", mask)
            for n, mask in enumerate(masks)
        ]
        self.standing: list[tuple[str, int, str]] = []
        self.rows: list[Decision] = []
        self.acts = 0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    def act(self) -> str:
        self.acts += 1
        return f"act {self.acts}"

    @rule(
        reviewer=reviewers,
        which=st.integers(0, CANDIDATES - 1),
        verdict=st.sampled_from(("accept", "reject", "fix", "skip")),
        session=st.sampled_from(("tab 1", "tab 2")),
        again=st.booleans(),
    )
    def record(self, reviewer: str, which: int, verdict: str, session: str, again: bool) -> None:
        candidate = self.candidates[which]
        digest, action = self.store.candidates.get(candidate).digest, self.act()
        for _ in range(1 + again):
            made = self.store.decisions.record(
                candidate, digest, verdict, reviewer=reviewer, session=session, action_id=action
            )
        self.standing.append((reviewer, candidate, verdict))
        self.rows.append(made)

    @rule(reviewer=reviewers, session=st.sampled_from(("tab 1", "tab 2")), again=st.booleans())
    def undo(self, reviewer: str, session: str, again: bool) -> None:
        own = [index for index, each in enumerate(self.standing) if each[0] == reviewer]
        action = self.act()
        made = self.store.decisions.undo(reviewer, session, action)
        assert (made is None) == (not own)
        if made is not None:
            if again:
                assert self.store.decisions.undo(reviewer, session, action) == made
            assert made.candidate_id == self.standing.pop(own[-1])[1]
            self.rows.append(made)

    @invariant()
    def current_is_the_last_that_stands(self) -> None:
        if not hasattr(self, "store"):
            return
        for candidate in self.candidates:
            stand = [each[2] for each in self.standing if each[1] == candidate]
            wanted = stand[-1] if stand else "undecided"
            assert self.store.candidates.get(candidate).verdict == wanted
            current = self.store.decisions.current(candidate)
            assert (current.verdict if current else "undecided") == wanted

    @invariant()
    def no_row_ever_changed(self) -> None:
        if hasattr(self, "store"):
            assert self.store.decisions.history(self.image) == self.rows


TestReviewing = Reviewing.TestCase
TestReviewing.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
