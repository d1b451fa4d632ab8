"""Names of images and classes: safe as file names, near to what was meant, listed briefly."""

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Iterable

from backend.errors import DataError
from backend.images import SUFFIXES

LONGEST_NAME = 80
_PLAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_\-]{0,78}[A-Za-z0-9])?")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_FORBIDDEN_IN_CLASS = re.compile(r"[\x00-\x1f\x7f/\\,;|\"<>:*?]")


def safe_name(name: str) -> str:
    """A name that is one path component on every system, whatever was given; idempotent.

    Letters and digits of any script and `._-` stay (Unicode NFC), every run of anything else
    becomes one `_`; dots, `_` and spaces at the ends go; what is too long is cut and marked with a
    piece of its hash; an empty rest is called "image".
    """
    if _PLAIN.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name
    kept = (c if _stays(c) else " " for c in unicodedata.normalize("NFC", name))
    text = re.sub(r" +", "_", "".join(kept))
    text = re.sub(r"\.{2,}", ".", text).strip("._")
    if _RESERVED.fullmatch(text):
        text = f"{text[:1]}_{text[1:]}"
    if len(text) > LONGEST_NAME or len(text.encode()) > 2 * LONGEST_NAME:
        mark = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
        short = text[: LONGEST_NAME - 9].encode()[: 2 * LONGEST_NAME - 9].decode(errors="ignore")
        text = f"{short}-{mark}"
    return text or "image"


def _stays(character: str) -> bool:
    return character in "._-" or unicodedata.category(character)[0] in "LMN"


def image_name(relative: str) -> str:
    """The name of an image from its path in a data set.

    Without an image's extension, folders joined by `_`: `sub/a b.jpg` is `sub_a_b`.
    """
    stem, dot, suffix = relative.rpartition(".")
    return safe_name(stem if f"{dot}{suffix}".lower() in SUFFIXES else relative)


def check_class_name(name: str) -> str:
    """A class name fit to name a file and a column entry; raises DataError for another."""
    if not name or name != name.strip() or name[0] == "." or len(name) > LONGEST_NAME:
        raise DataError(
            f"{name!r} cannot be a class name: it must be 1 to {LONGEST_NAME} characters and begin "
            "with neither a dot nor a space."
        )
    found = _FORBIDDEN_IN_CLASS.search(name)
    if found:
        raise DataError(
            f"{name!r} cannot be a class name: {found[0]!r} is not allowed in it, because classes "
            "name files and stand in lists. Use letters, digits, spaces, '-' or '_'."
        )
    return name


def fit_class_name(name: str) -> str:
    """A class name as near as can be to what another program calls it: `cup/mug` is `cup_mug`."""
    text = _FORBIDDEN_IN_CLASS.sub("_", unicodedata.normalize("NFC", name)).strip().lstrip(". ")
    return text[:LONGEST_NAME].strip() or "class"


def nearest(word: str, known: Iterable[str], count: int = 3) -> str:
    """The known names most like a word, best first, as "a, b"; empty where none is like it."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=count, cutoff=0.6)
    return ", ".join(by_folded[name] for name in found)


def counted(count: int, thing: str) -> str:
    """`1 image`, `2,000 images`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def some(things: Iterable[object], most: int = 5) -> str:
    """The first few of a list as "a, b, c and 7 more"."""
    listed = [str(thing) for thing in things]
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")
