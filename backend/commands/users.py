"""python -m backend users: who may log in to the web app, and what each may do there."""

import argparse
import getpass
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from backend.commands._speaking import remark

if TYPE_CHECKING:
    from backend.store.users import User, Users

_ROLES = ("viewer", "reviewer", "trainer")
_ACTIONS = {
    "add": "let somebody in",
    "list": "who there is",
    "role": "give somebody another role",
    "password": "give somebody another password; ends all of their logins",
    "disable": "shut somebody out, from their next request on",
    "enable": "let somebody in again",
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "users",
        help="who may log in to the web app",
        description="Keeps the users of a workspace. As soon as there is one, the web app asks "
        "everybody to log in. Passwords are asked for on the terminal, or read as one line from "
        "standard input; never given as an argument, which everybody on the machine could read.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, what in _ACTIONS.items():
        action = actions.add_parser(name, help=what, description=f"{what.capitalize()}.")
        action.add_argument("workspace", type=Path)
        if name != "list":
            action.add_argument("name", help="the user's name, as decisions will carry it")
        if name in ("add", "role"):
            action.add_argument(
                "--role",
                choices=_ROLES,
                required=name == "role",
                default="reviewer" if name == "add" else None,
                help="a viewer looks; a reviewer decides, tags, adds classes and mends; a trainer "
                "also brings data in, shares work out, freezes snapshots and runs jobs",
            )
        if name in ("add", "password"):
            how = action.add_mutually_exclusive_group()
            how.add_argument(
                "--generate", action="store_true", help="make a password up and print it"
            )
            if name == "add":
                how.add_argument(
                    "--no-password",
                    action="store_true",
                    help="let in by a proxy's header only (app.py --trust-proxy-header)",
                )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Lists or changes users."""
    from backend.workspace import Workspace

    listing = arguments.action == "list"
    with Workspace.open(arguments.workspace, read_only=listing) as workspace:
        users = workspace.store.users
        if listing:
            for user in users.all():
                print(_line(user))
            return 0
        first = not users.any()
        _act(users, arguments)
        if first and workspace.app_holder() is not None:
            remark("The web app that is open on this workspace asks for a login from now on.")
        if first and users.get(arguments.name).role != "trainer":
            remark(
                "Nobody is a trainer yet, so nobody can import or train in the browser: "
                "`python -m backend users add WORKSPACE NAME --role trainer`."
            )
    return 0


def _act(users: "Users", arguments: argparse.Namespace) -> None:
    name, generate = arguments.name, getattr(arguments, "generate", False)
    password = None
    if arguments.action == "password":
        name = users.get(name).name
    if arguments.action in ("add", "password") and not getattr(arguments, "no_password", False):
        from backend import passwords

        password = passwords.generated() if generate else _asked(name)
    if arguments.action == "add":
        user = users.add(name, arguments.role, password)
    elif arguments.action == "password":
        user = users.set_password(name, password or "")
    elif arguments.action == "role":
        user = users.set_role(name, arguments.role)
    elif arguments.action == "disable":
        user = users.disable(name)
    else:
        user = users.enable(name)
    print(_line(user))
    if generate:
        print(password)


def _asked(name: str) -> str:
    """The password, typed twice on a terminal, or a line of standard input."""
    from backend import passwords
    from backend.errors import DataError

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"Password of {name}: ")
    passwords.require_fit(password, name)
    if getpass.getpass("Once more: ") != password:
        raise DataError("The two are not the same, so nothing was changed. Try again.")
    return password


def _line(user: "User") -> str:
    since = datetime.fromtimestamp(user.disabled or user.created).astimezone()
    state = "disabled" if user.disabled else "since"
    return f"{user.name}  {user.role}  {state} {since.isoformat(' ', 'minutes')}"
