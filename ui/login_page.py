"""The page on which people log in: no Gradio, no inline script, nothing from elsewhere."""

from functools import cache
from pathlib import Path

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


@cache
def page() -> str:
    """The page. It is the same for everybody, so nothing that anybody typed can stand in it."""
    return Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
