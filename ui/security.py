"""Who may send what: origin and host checks, and headers that keep the page at home."""

import json
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Posts that look and compute but change nothing; they stay open in a read-only workspace.
READING_POSTS = frozenset({"/tagmask/api/inspect"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

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


class Guard:
    """ASGI middleware in front of everything the web process serves.

    `allowed_hosts`: host names that a request may name (without port), or None for any. A page of
    another site that rebinds its own name to this machine is stopped by it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        read_only: bool = False,
        allowed_hosts: Iterable[str] | None = None,
    ) -> None:
        self.app = app
        self.read_only = read_only
        self.allowed_hosts = None if allowed_hosts is None else frozenset(allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _answer(send, *refusal)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("X-Frame-Options", "SAMEORIGIN")
                headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
                headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            await send(message)

        await self.app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.allowed_hosts is not None and host_name(host) not in self.allowed_hosts:
            return 421, (
                f"This server does not answer to the name {host[:80]!r}. Open it under the address "
                "that it printed when it started."
            )
        if scope["method"] in SAFE_METHODS:
            return None
        path = scope["path"]
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "This request came from another site's page and was refused."
        if not path.startswith("/tagmask/"):
            if path.startswith("/gradio_api/upload"):
                return 403, "Photographs come in through the page's own drop zones only."
            return None
        if headers.get("x-tagmask") != "1":
            return 403, (
                "Requests that change something must carry the header 'X-Tagmask: 1', which only "
                "this server's own page sends."
            )
        if self.read_only and path not in READING_POSTS:
            return 403, "This workspace is open read-only; nothing in it can be changed."
        return None


def host_name(host: str) -> str:
    """The name in a Host header without its port: `[::1]:7860` -> `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


async def _answer(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"error": sentence}).encode()
    start: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
