"""What may be asked for, and by whom: a rule for every address, and none means no.

A route that changes something, or takes a body to look at, has its line in `POSTS`. Without one it
is a trainer's, and `tests/ui/test_security_rules.py` fails and says so.
"""

import re
from dataclasses import dataclass
from typing import Literal

MEGABYTE = 1 << 20
LARGEST_UPLOAD = 4 << 30


@dataclass(frozen=True)
class Rule:
    """`role`: who may, None being everybody, logged in or not. `changes`: shut where the workspace
    is read-only. `largest`: the most bytes of a body, `body` what it is made of."""

    role: str | None
    changes: bool = False
    largest: int = MEGABYTE
    body: Literal["json", "form", "bytes"] = "json"


ANYBODY = Rule(None)
VIEWER = Rule("viewer")
REVIEWER = Rule("reviewer", changes=True)
TRAINER = Rule("trainer", changes=True)

API = "/tagmask/api"
POSTS = {
    # Who asks.
    f"{API}/login": ANYBODY,
    f"{API}/logout": ANYBODY,
    f"{API}/password": Rule("viewer", changes=True),
    # Looking: these compute and change nothing.
    f"{API}/inspect": VIEWER,
    # Reviewing.
    f"{API}/inspect/candidate": REVIEWER,
    f"{API}/inspect/tags": REVIEWER,
    f"{API}/curate/decide": REVIEWER,
    f"{API}/curate/undo": REVIEWER,
    f"{API}/curate/flag": REVIEWER,
    f"{API}/curate/batch": REVIEWER,
    f"{API}/curate/compare": REVIEWER,
    f"{API}/tags/change": Rule("reviewer", True, 8 * MEGABYTE),
    f"{API}/tags/undo": REVIEWER,
    f"{API}/tags/classes": REVIEWER,
    f"{API}/fix": Rule("reviewer", True, 32 * MEGABYTE),
    f"{API}/fix/snap": Rule("reviewer", True, 32 * MEGABYTE),
    f"{API}/people/lease": REVIEWER,
    f"{API}/people/release": REVIEWER,
    f"{API}/people/revert": REVIEWER,
    f"{API}/data/classes": REVIEWER,
    # Sharing work out; data in, snapshots, jobs.
    f"{API}/people/assign": TRAINER,
    f"{API}/people/withdraw": TRAINER,
    f"{API}/upload": Rule("trainer", True, LARGEST_UPLOAD, "form"),
    f"{API}/transfers/upload": TRAINER,
    f"{API}/transfers/{{id}}/piece": Rule("trainer", True, 8 * MEGABYTE, "bytes"),
    f"{API}/transfers/{{id}}/start": TRAINER,
    f"{API}/transfers/export": TRAINER,
    f"{API}/transfers/{{id}}/resume": TRAINER,
    f"{API}/transfers/{{id}}/cancel": TRAINER,
    f"{API}/transfers/{{id}}/remove": TRAINER,
    f"{API}/data/duplicates": TRAINER,
    f"{API}/data/snapshots": TRAINER,
    f"{API}/train/submit": TRAINER,
    f"{API}/train/freeze": TRAINER,
    f"{API}/train/offer": TRAINER,
    f"{API}/train/score": TRAINER,
    f"{API}/train/cancel": TRAINER,
    f"{API}/train/resume": TRAINER,
}
"""Paths as their routes spell them; `{id}` stands for one part between slashes."""

GETS = {
    # Each starts a process of the trainer's, to check an order or to count what it learns from.
    f"{API}/train/command": TRAINER,
    f"{API}/train/preview": TRAINER,
}
"""What is asked for and shown, and yet not for everybody who looks."""

# What the login page itself is made of; none of it is anybody's data.
_OPEN_PAGES = frozenset({"/tagmask/login"})
_OPEN_FOLDERS = ("/tagmask/static/",)

# Of Gradio's own addresses the page needs these. The others (uploads, files by path, a proxy to
# other sites, events, monitoring, editing by a language model) are not answered to anybody.
_GRADIO_PAGES = frozenset({"/", "/theme.css"})
_GRADIO_FOLDERS = ("/assets/", "/static/")

# What no address here has, and a file system may trip over: control characters, backslashes, parts
# that climb or are longer than a file's name can be. (As decoded: %2e is a dot by now.)
_OF_NO_ADDRESS = re.compile(r"[\x00-\x1f\x7f\\]|(?:^|/)\.\.?(?:/|$)|[^/]{251}|//")


def patterns(posts: dict[str, Rule]) -> list[tuple[re.Pattern[str], Rule]]:
    """The paths that have parts to fill in, as expressions."""
    return [
        (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), rule)
        for path, rule in posts.items()
        if "{" in path
    ]


_PATTERNS = patterns(POSTS)


def rule_of(method: str, path: str) -> Rule | None:
    """The rule for a request; None where nothing is served at all."""
    if _OF_NO_ADDRESS.search(path):
        return None
    if method in ("GET", "HEAD"):
        if path in _OPEN_PAGES or path.startswith(_OPEN_FOLDERS):
            return ANYBODY
        if path.startswith(("/tagmask/", *_GRADIO_FOLDERS)) or path in _GRADIO_PAGES:
            return GETS.get(path, VIEWER)
        return None
    if method == "POST" and path.startswith("/tagmask/"):
        return stated(path) or TRAINER
    return None


def stated(path: str) -> Rule | None:
    """The rule that `POSTS` states for a path, None where it falls to a trainer by default."""
    if path in POSTS:
        return POSTS[path]
    return next((rule for pattern, rule in _PATTERNS if pattern.fullmatch(path)), None)
