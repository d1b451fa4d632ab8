"""What comes with a request: not too large, not too slowly, and in the name of who is logged in."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from ui.rules import MEGABYTE, Rule
from ui.who import Who

PATIENCE = 30.0
SLOWEST = 2048
"""A body has PATIENCE seconds, and a second more for every SLOWEST bytes that came."""

PERSON = "reviewer"
"""The field of a body, or of a POST's search, that says who acts."""

_KINDS = {"json": "application/json", "form": "multipart/form-data"}


def require_kind(headers: Headers, rule: Rule) -> None:
    """Raises 415 for a body that is not of the kind the route reads: what this server cannot look
    into, it cannot put the right name into."""
    wanted = _KINDS.get(rule.body)
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    if wanted is not None and given != wanted and not (empty and not given):
        raise HTTPException(415, f"This address takes {wanted}, not {given[:80] or 'that'!r}.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "A body must come as it is, without a Content-Encoding.")


def require_small(headers: Headers, rule: Rule) -> None:
    """Raises 413 where the body says that it is larger than the rule allows."""
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > rule.largest:
        raise _too_large(rule)


class Incoming:
    """`receive` of a request, watched: raises 413 and 408 (HTTPException) while a body comes."""

    def __init__(self, receive: Receive, rule: Rule) -> None:
        self._receive = receive
        self._rule = rule
        self._began = asyncio.get_running_loop().time()
        self._taken = 0
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            # Only that the client goes away can come now, and that may take as long as it likes.
            return await self._receive()
        until = self._began + PATIENCE + self._taken / SLOWEST
        try:
            async with asyncio.timeout_at(until):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(
                408, "The request came too slowly and was given up. Send it again."
            ) from error
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._taken > self._rule.largest:
                raise _too_large(self._rule)
        return message

    async def whole(self) -> bytes:
        """All of the body; ClientDisconnect where the client went away before its end."""
        parts = []
        while not self._whole:
            message = await self()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect()
            parts.append(message.get("body", b""))
        return b"".join(parts)


async def in_their_name(
    scope: Scope, incoming: Incoming, rule: Rule, who: Who
) -> tuple[Scope, Receive]:
    """The request with the login's name in it wherever it says who acts.

    JSON is read whole; a route that takes forms asks `ui.who.named`.
    """
    if who.name is None:
        return scope, incoming
    scope = {**scope, "query_string": _search(scope["query_string"], who.name)}
    if rule.body != "json":
        return scope, incoming
    body = _signed(await incoming.whole(), who.name)
    headers = [each for each in scope["headers"] if each[0] != b"content-length"]
    scope["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else await incoming()

    return scope, receive


def _signed(body: bytes, name: str) -> bytes:
    if not body:
        return body
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "This is not JSON that can be read.") from error
    if isinstance(said, dict):
        # Where a request leaves it out, too: the route would put a word of its own there.
        said[PERSON] = name
    # Written anew in any case, so that the route reads what was read here: of a name that stands
    # there twice both would otherwise be free to take another one.
    return json.dumps(said).encode()


def _search(query: bytes, name: str) -> bytes:
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8")
    if all(key != PERSON for key, _ in pairs):
        return query
    return urlencode([(key, name if key == PERSON else value) for key, value in pairs]).encode()


def _too_large(rule: Rule) -> HTTPException:
    limit = f"{rule.largest / MEGABYTE:,.0f} MB"
    return HTTPException(413, f"This is more than the {limit} that this address takes.")
