"""Passwords: what may be one, and what is kept of it instead (scrypt, salted)."""

import hashlib
import hmac
import secrets
import string

from backend.errors import DataError

# OWASP's scrypt setting for 16 MiB: as slow to guess as its others, and a burst of tries cannot
# exhaust the memory of a small server.
COST, BLOCK, PARALLEL = 2**14, 8, 5
SHORTEST, LONGEST = 10, 1024
NONE = "none"
"""The secret of a user who has no password: no password fits it."""

_LETTERS = string.ascii_letters.translate({ord(each): None for each in "lIO"}) + "23456789"


def require_fit(password: str, name: str) -> None:
    """Raises DataError where this may not be the password of the user `name`."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise DataError(
            f"A password has {SHORTEST} to {LONGEST:,} characters; this one has {len(password):,}. "
            "Several words in a row are easy to keep in mind and hard to guess."
        )
    if len(set(password)) < 4 or password.casefold() in name.casefold() * 2:
        raise DataError("This password is among the first that are guessed. Choose another one.")


def generated() -> str:
    """A password of 119 bits that can be read out: four groups of five letters and digits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


def secret_of(password: str) -> str:
    """What is kept of a password: `scrypt$cost$block$parallel$salt$hash`, the last two in hex."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, COST, BLOCK, PARALLEL)
    return f"scrypt${COST}${BLOCK}${PARALLEL}${salt.hex()}${digest.hex()}"


def fits(password: str, secret: str | None) -> bool:
    """Whether this is the password that was kept as `secret`.

    Takes the same time where there is no such user (None) or no password (`NONE`): how long an
    answer takes tells nobody which names there are.
    """
    known = secret if secret is not None and secret != NONE else _NOBODY
    _, cost, block, parallel, salt, digest = known.split("$")
    # What is longer than a password can be is cut, so that nobody makes the server hash megabytes.
    found = _scrypt(
        password[: LONGEST + 1], bytes.fromhex(salt), int(cost), int(block), int(parallel)
    )
    return hmac.compare_digest(found, bytes.fromhex(digest)) and known is secret


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt, n=cost, r=block, p=parallel, maxmem=256 * cost * block, dklen=32,
    )  # fmt: skip


_NOBODY = f"scrypt${COST}${BLOCK}${PARALLEL}${secrets.token_hex(16)}${secrets.token_hex(32)}"
