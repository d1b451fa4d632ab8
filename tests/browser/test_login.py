"""Logging in, in a real browser: the page for it, whose name stands where, and the way out."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from backend.workspace import Workspace
from tests.browser.conftest import ROOT

TIMEOUT = 60_000
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def people(app: Any) -> Any:
    """The app with viewers and a reviewer, made by the command while it runs."""
    for name, role in (("Rita Sol", "reviewer"), ("vera", "viewer"), ("nina", "viewer")):
        command = [sys.executable, "-m", "backend", "users", "add", str(app.workspace), name]
        done = subprocess.run(
            [*command, "--role", role], input=PASSWORD, cwd=ROOT, text=True, capture_output=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return app


@pytest.fixture
def visit(browser: Any, people: Any) -> Iterator[Any]:
    """Opens addresses of the app in a browser of its own; fails where another host is asked."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    outside: list[str] = []
    problems: list[str] = []

    def open_at(address: str = "/") -> Any:
        tab = context.new_page()
        tab.on("request", lambda request: asked(request.url))
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on(
            "console",
            lambda line: (
                problems.append(line.text) if "Content Security Policy" in line.text else None
            ),
        )
        tab.goto(people.url + address)
        return tab

    def asked(url: str) -> None:
        if not url.startswith((people.url, "data:", "blob:")):
            outside.append(url)

    yield open_at
    context.close()
    assert outside == []
    assert problems == []


def enter(tab: Any, name: str, password: str = PASSWORD) -> None:
    tab.locator("body[data-ready]").wait_for(timeout=TIMEOUT)
    tab.get_by_label("Name").fill(name)
    tab.get_by_label("Password", exact=True).fill(password)
    tab.get_by_role("button", name="Log in").click()


def test_a_deep_link_survives_the_login(visit: Any, people: Any) -> None:
    tab = visit("/?note=1#tau=0.4")
    been: list[str] = []
    tab.on("framenavigated", lambda frame: been.append(frame.url))
    assert "/tagmask/login" in tab.url
    enter(tab, "rita sol", "wrong password")
    alert = tab.get_by_role("alert")
    alert.get_by_text("do not go together").wait_for(timeout=TIMEOUT)
    assert tab.get_by_label("Password", exact=True).evaluate("n => n === document.activeElement")
    tab.get_by_label("Password", exact=True).fill(PASSWORD)
    tab.keyboard.press("Enter")
    tab.get_by_role("group", name="Logged in").wait_for(timeout=TIMEOUT)
    # The page goes on writing its state into the address; this is where it began.
    assert been[0] == f"{people.url}/?note=1#tau=0.4"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/.//evil.example",
        "javascript:alert(1)",
        "http://[",
        "/tagmask/login?next=//evil.example",
    ],
)
def test_the_login_page_leads_to_no_other_site(visit: Any, people: Any, wanted: str) -> None:
    from urllib.parse import quote

    tab = visit(f"/tagmask/login?next={quote(wanted, safe='')}")
    tab.route("**/tagmask/api/login", lambda route: route.fulfill(status=200, json={"said": "in"}))
    enter(tab, "vera")
    tab.wait_for_url(lambda url: not url.startswith(f"{people.url}/tagmask/login?next=%"))
    assert tab.url.startswith(f"{people.url}/")


def test_nothing_is_asked_of_another_host_from_login_to_every_tab(visit: Any) -> None:
    tab = visit()
    enter(tab, "rita sol")
    chip = tab.get_by_role("group", name="Logged in")
    chip.wait_for(timeout=TIMEOUT)
    assert chip.inner_text().split() == ["RS", "Rita", "Sol", "reviewer"]
    for button in tab.get_by_role("tab").all():
        button.click()
        tab.wait_for_timeout(400)


def test_a_decision_bears_the_login_and_waits_where_it_has_ended(visit: Any, people: Any) -> None:
    tab = visit()
    enter(tab, "rita sol")
    tab.get_by_role("tab", name="Curate", exact=True).click()
    tab.locator("#tm-curate[data-shown]").wait_for(timeout=TIMEOUT)
    with Workspace.open(people.workspace) as workspace:
        workspace.store.users.disable("rita sol")
    tab.keyboard.press("x")
    told = tab.get_by_role("alert").filter(has_text="Your login has ended")
    told.wait_for(timeout=TIMEOUT)
    assert reviewers(people) == []
    with Workspace.open(people.workspace) as workspace:
        workspace.store.users.enable("rita sol")
    told.get_by_role("link", name="Log in").click()
    enter(tab, "rita sol")
    tab.get_by_role("tab", name="Curate", exact=True).click()
    tab.locator("#tm-curate[data-shown]").wait_for(timeout=TIMEOUT)
    tab.get_by_text("All decisions saved").wait_for(timeout=TIMEOUT)
    assert reviewers(people) == ["Rita Sol"]


def test_a_viewer_is_offered_no_decision_and_logs_out(visit: Any, people: Any) -> None:
    tab = visit()
    enter(tab, "vera")
    tab.get_by_role("tab", name="Curate", exact=True).click()
    tab.locator("#tm-curate[data-shown]").wait_for(timeout=TIMEOUT)
    accept = tab.locator("#tm-curate .cu-acts").get_by_role("button", name="Accept").first
    assert accept.is_disabled()
    before = reviewers(people)
    tab.keyboard.press("a")
    refused = tab.evaluate(
        "() => fetch('/tagmask/api/curate/undo', {method: 'POST', body: '{}',"
        " headers: {'X-Tagmask': '1', 'Content-Type': 'application/json'}}).then((r) => r.status)"
    )
    assert refused == 403
    assert reviewers(people) == before
    tab.get_by_role("button", name="Log out vera").click()
    tab.wait_for_url("**/tagmask/login**", timeout=TIMEOUT)
    tab.goto(people.url)
    assert "/tagmask/login" in tab.url


def test_a_reviewer_is_told_which_role_the_rest_takes(visit: Any) -> None:
    tab = visit()
    enter(tab, "rita sol")
    takes = "This takes the role trainer; you are logged in as a reviewer."
    tab.locator("#tm-inspect .tmv-images").wait_for(timeout=TIMEOUT)
    assert tab.locator("#tm-inspect .tmv-drop").count() == 0
    for name, selector in (
        ("Train", "#tm-train .tr-go"),
        ("Train", "#tm-train .tr-freeze-go"),
        ("Data", "#tm-data form button[type=submit]:has-text('Freeze')"),
    ):
        tab.get_by_role("tab", name=name, exact=True).click()
        off = tab.locator(f"{selector}[title='{takes}']")
        off.wait_for(timeout=TIMEOUT)
        assert off.is_disabled()
    assert tab.locator("#tm-data .da-drop").get_attribute("title") == takes
    # What is a reviewer's is offered.
    assert tab.get_by_label("Name of a new class").first.is_enabled()


def test_somebody_changes_their_password(visit: Any) -> None:
    tab = visit()
    enter(tab, "nina")
    tab.get_by_role("button", name="Change your password").click(timeout=TIMEOUT)
    dialog = tab.get_by_role("dialog", name="Change your password")
    go = dialog.get_by_role("button", name="Change password")
    dialog.get_by_label("Password until now").fill("wrong password")
    dialog.get_by_label("New password", exact=True).fill("a staple of another kind")
    dialog.get_by_label("New password once more").fill("a staple of another kine")
    go.click()
    dialog.get_by_text("not the same both times").wait_for()
    dialog.get_by_label("New password once more").fill("a staple of another kind")
    go.click()
    dialog.get_by_text("The old password is not right").wait_for(timeout=TIMEOUT)
    dialog.get_by_label("Password until now").fill(PASSWORD)
    tab.keyboard.press("Enter")
    tab.get_by_text("Your password is changed").wait_for(timeout=TIMEOUT)
    assert dialog.count() == 0
    tab.get_by_role("button", name="Log out nina").click()
    enter(tab, "nina", "a staple of another kind")
    tab.get_by_role("group", name="Logged in").wait_for(timeout=TIMEOUT)


def reviewers(app: Any) -> list[str]:
    with sqlite3.connect(app.workspace / "tagmask.db") as database:
        return [name for (name,) in database.execute("SELECT reviewer FROM decisions")]
