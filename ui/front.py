"""The first page as it leaves the server: our head in it, and no address of another site.

Gradio adds a page's `head` from the browser, when it is up; by then the page would have been shown
in the wrong theme and without its style.
"""

import html
import re
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.theme import head_html
from ui.who import Who, asking

VIEWER = Path(__file__).parent / "static" / "viewer"

# Cards for sites that show links: a title and picture of Gradio's, at addresses of others.
_LINK_CARDS = re.compile(rb"\s*<meta\s+(?:property|name)=\"(?:og|twitter):[^>]*?/>", re.DOTALL)


class Front:
    """ASGI middleware that rewrites the page at `/`; everything else passes untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.head = (head_html() + _preloads()).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            headers = MutableHeaders(scope=start)
            page = bytes(body)
            if headers.get("content-type", "").startswith("text/html"):
                page = self.rewritten(page, asking.get())
                headers["content-length"] = str(len(page))
            await send(start)
            await send({"type": "http.response.body", "body": page})

        await self.app(scope, receive, collect)

    def rewritten(self, page: bytes, who: Who) -> bytes:
        """The page without link cards, our head and who looks at it before its head's end."""
        head = self.head + _login(who).encode()
        return _LINK_CARDS.sub(b"", page).replace(b"</head>", head + b"</head>", 1)


def _login(who: Who) -> str:
    """Who is logged in, for the page; nothing where nobody has to."""
    if who.name is None:
        return ""
    name, role, how = (html.escape(each, quote=True) for each in (who.name, who.role, who.how))
    return f'<meta name="tagmask-login" content="{name}" data-role="{role}" data-how="{how}">\n'


def _preloads() -> str:
    """The modules of the first tab, asked for while Gradio's own scripts still load."""
    modules = ["ui.js", "header.js", *sorted(f"viewer/{file.name}" for file in VIEWER.glob("*.js"))]
    lines = [f'<link rel="modulepreload" href="/tagmask/static/{module}">' for module in modules]
    lines += [
        f'<link rel="stylesheet" href="/tagmask/static/viewer/{file.name}">'
        for file in sorted(VIEWER.glob("*.css"))
    ]
    return "\n".join(lines) + "\n"
