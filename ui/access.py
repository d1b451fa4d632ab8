"""By which names and through which proxies the web app is reached."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.types import Scope

from backend.errors import WorkspaceError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What a request says about another request behind it. Gradio and others believe these blindly, so
# they are taken away; of a named proxy some are heard first.
_HEARSAY = (
    b"forwarded", b"x-forwarded", b"x-real-ip", b"x-host", b"x-original", b"x-rewrite",
    b"x-gradio", b"x-http-method", b"x-method", b"x-script-name", b"x-client-ip",
)  # fmt: skip


@dataclass(frozen=True)
class Access:
    """How the web app may be reached.

    `hosts`: names that a request may call it by; None for any. `by_number`: any address in digits
    will do, too (a page of another site can make its own name mean this machine, but not that).
    `public`: NAME or NAME:PORT as browsers see it through a proxy. `proxies`: whose word about the
    client, the scheme and, in `header`, the person who asks is taken.
    """

    hosts: frozenset[str] | None = None
    by_number: bool = False
    public: frozenset[str] = frozenset()
    proxies: tuple[Network, ...] = ()
    header: str | None = None

    def knows(self, host: str) -> bool:
        """Whether a request may name this host in its Host header."""
        if self.hosts is None or host.lower() in self.public:
            return True
        name = host_name(host)
        return name in self.hosts or (self.by_number and _address(name) is not None)

    def own(self, origin: str, host: str) -> bool:
        """Whether a page of this origin is ours; `host` is what the request was sent to."""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        if parts.scheme not in ("http", "https"):
            return False
        return parts.netloc.lower() in (host.lower(), *self.public)

    def proxied(self, address: str) -> bool:
        """Whether this is the address of a proxy that was named."""
        found = _address(address)
        return found is not None and any(found in network for network in self.proxies)


@dataclass(frozen=True)
class Heard:
    """A request as it was sent to us or to the proxy: its scope without hearsay, the address it
    came from, and the name the proxy vouches for (None: not asked; "": nobody or not one)."""

    scope: Scope
    address: str
    person: str | None


def hear(scope: Scope, access: Access) -> Heard:
    """Takes what is hearsay out of a request; a named proxy's word is put in its place."""
    address = str((scope.get("client") or ("",))[0])
    trusted = access.proxied(address)
    asked = access.header.lower().encode("latin-1") if access.header else None
    kept, said = [], dict[bytes, list[str]]()
    for name, value in scope["headers"]:
        name = name.lower()
        if name == asked or name.startswith(_HEARSAY):
            said.setdefault(name, []).append(_text(value))
        else:
            kept.append((name, value))
    heard: dict[str, Any] = {"headers": kept}
    person = None
    if trusted:
        address = _client(said.get(b"x-forwarded-for", []), access) or address
        if said.get(b"x-forwarded-proto") in (["http"], ["https"]):
            heard["scheme"] = said[b"x-forwarded-proto"][0]
        host = said.get(b"x-forwarded-host", [])
        if len(host) == 1 and host[0].lower() in access.public:
            kept[:] = [each for each in kept if each[0] != b"host"]
            kept.append((b"host", host[0].encode("latin-1", "replace")))
        if asked is not None:
            # Twice the same header: one is the client's own, and nobody knows which.
            names = said.get(asked, [])
            person = names[0] if len(names) == 1 else ""
    return Heard({**scope, **heard}, address, person)


def host_name(host: str) -> str:
    """The name in a Host header without its port: `[::1]:7860` -> `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def networks(given: Iterable[str]) -> tuple[Network, ...]:
    """Proxies' addresses or networks, as app.py's options name them."""
    try:
        return tuple(ipaddress.ip_network(each) for each in given)
    except ValueError as error:
        raise WorkspaceError(
            f"{error}. Name proxies by address, as 10.0.0.5, or by network, as 10.0.0.0/28."
        ) from error


def _client(said: list[str], access: Access) -> str | None:
    """The nearest address in X-Forwarded-For that is no proxy's; what stands before it anybody
    could have written."""
    chain = [each.strip() for line in said for each in line.split(",")]
    return next((each for each in reversed(chain) if each and not access.proxied(each)), None)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def _text(value: bytes) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()
