"""The guard in front of everything the web process serves: who may send what, and headers that
keep the page at home. Which address needs which role stands in rules.py."""

import json
from collections.abc import Mapping
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import StoreError
from ui.access import Access, Heard, hear
from ui.bodies import Incoming, in_their_name, require_kind, require_small
from ui.login import Door
from ui.rules import API, Rule, rule_of
from ui.who import WHOEVER, Who, asking

# 'unsafe-inline' and 'unsafe-eval' are what Gradio's own page needs (inline bootstrap, templates
# compiled in the browser). What matters here is that nothing may be fetched from elsewhere.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' blob: data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class Guard:
    """ASGI middleware in front of everything. `door` None: nobody has to log in."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        read_only: bool = False,
        access: Access | None = None,
        door: Door | None = None,
    ) -> None:
        self.app = app
        self.read_only = read_only
        self.access = access or Access()
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # The page has none, so one that is asked for is an attempt to go round the rules.
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answering = _Answering(send, scope["path"])
        try:
            heard = hear(scope, self.access)
            rule = self._rule(heard)
            incoming = Incoming(receive, rule)
            who = await self._who(heard, rule)
            self._require(rule, who)
            if scope["method"] == "POST":
                headers = Headers(scope=heard.scope)
                require_kind(headers, rule)
                inner, taking = await in_their_name(heard.scope, incoming, rule, who)
            else:
                inner, taking = heard.scope, incoming
            inner["tagmask.heard"] = heard
            given = asking.set(who)
            try:
                await self.app(inner, taking, answering)
            finally:
                asking.reset(given)
        except HTTPException as refusal:
            if answering.begun:
                raise
            await _answer(answering, refusal.status_code, refusal.detail, refusal.headers)
        except StoreError as error:
            if answering.begun:
                raise
            await _answer(answering, 503, str(error))
        except ClientDisconnect:
            return  # nobody is there to be told

    def _rule(self, heard: Heard) -> Rule:
        """The rule for a request that is meant for us and comes from our own page."""
        scope, headers = heard.scope, Headers(scope=heard.scope)
        host = headers.get("host", "")
        if not self.access.knows(host):
            raise HTTPException(
                421,
                f"This server does not answer to the name {host[:80]!r}. Open it under the address "
                "that it printed when it started, or name this one with --public-name.",
            )
        method, path = scope["method"], scope["path"]
        if method not in ("GET", "HEAD", "POST"):
            raise HTTPException(
                405, f"Nothing here takes {method[:20]!r}.", {"Allow": "GET, HEAD, POST"}
            )
        rule = rule_of(method, path)
        if method == "POST":
            self._require_own_page(headers, host, path.startswith("/tagmask/"))
        elif not _welcome(headers):
            raise HTTPException(403, "Another site's page asked for this, so it was refused.")
        if rule is None and method == "POST":
            raise HTTPException(
                403,
                "Gradio's own uploads and events are switched off: photographs come in through the "
                "page's own drop zones only, and everything else under /tagmask/.",
            )
        if rule is None:
            raise HTTPException(404, "There is nothing here.")
        require_small(headers, rule)
        return rule

    def _require_own_page(self, headers: Headers, host: str, ours: bool) -> None:
        origin = headers.get("origin")
        foreign = origin is not None and not self.access.own(origin, host)
        if foreign or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise HTTPException(403, "This request came from another site's page and was refused.")
        if ours and headers.get("x-tagmask") != "1":
            raise HTTPException(
                403,
                "Requests that change something must carry the header 'X-Tagmask: 1', which only "
                "this server's own page sends.",
            )

    async def _who(self, heard: Heard, rule: Rule) -> Who:
        if self.door is None:
            return WHOEVER
        who = await self.door.who(heard)
        if who is not None:
            return who
        if rule.role is None:
            return Who(None, "viewer", "password")
        if self.access.header is not None:
            raise HTTPException(
                401,
                "The proxy in front of Tagmask did not say who you are. Open Tagmask through the "
                "proxy, and log in there.",
            )
        if heard.scope["method"] == "GET" and heard.scope["path"] == "/":
            search = heard.scope["query_string"].decode("latin-1")
            back = quote(f"/?{search}" if search else "/")
            raise HTTPException(303, "Log in first.", {"Location": f"/tagmask/login?next={back}"})
        raise HTTPException(401, "You are not logged in, or your login has ended. Log in again.")

    def _require(self, rule: Rule, who: Who) -> None:
        if rule.role is not None and not who.may(rule.role):
            raise HTTPException(
                403,
                f"You are logged in as {who.name}, a {who.role}; only a {rule.role} may do this. "
                "Whoever keeps this workspace can give you the role.",
            )
        if self.read_only and rule.changes:
            raise HTTPException(403, "This workspace is open read-only; nothing can be changed.")


def _welcome(headers: Headers) -> bool:
    """Whether a GET came from this page, from a person who opened the address, or from a program
    that does not say; not from another site's page, another port's included."""
    site = headers.get("sec-fetch-site", "none")
    return site in ("same-origin", "none") or headers.get("sec-fetch-mode") == "navigate"


class _Answering:
    """`send`, with the headers that every answer has."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        # What somebody saw is not kept for whoever sits down at the browser next.
        self._theirs = path == "/" or path.startswith(f"{API}/")
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            # Gradio invites every origin to read its page, with credentials. We invite nobody.
            for name in [each for each in headers if each.startswith("access-control-")]:
                del headers[name]
            if self._theirs:
                headers.setdefault("Cache-Control", "private, no-cache")
        await self._send(message)


async def _answer(
    send: Send, status: int, sentence: str, headers: Mapping[str, str] | None = None
) -> None:
    body = json.dumps({"error": sentence}).encode()
    start: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((key.lower().encode(), value.encode()) for key, value in (headers or {}).items()),
        ],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
