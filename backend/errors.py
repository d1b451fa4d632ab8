"""The sentences this package says to a person when it cannot go on."""

from typing import Any


class TagmaskError(Exception):
    """What went wrong, what is accepted and what to do, as one or two plain sentences."""


class ImageError(TagmaskError):
    """A file that should be a photograph is not usable as one."""


class DataError(TagmaskError):
    """A data set, tag list, mask or manifest is not what it should be."""


class WorkspaceError(TagmaskError):
    """A workspace folder is missing, not writable or not a workspace."""


class StoreError(TagmaskError):
    """The database is damaged, newer than this program, or refused a change."""


class StoreUnavailable(StoreError):
    """The database or its disk is locked, full or failing: the same change may succeed later."""


class Conflict(StoreError):
    """Somebody was there first. `there` says what there is now, so that a page can show it."""

    def __init__(self, sentence: str, there: dict[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.there = there or {}


class NewerMask(StoreError):
    """The image has a newer mask, drawn by a person, than the reviewer saw: look at it first.

    `candidate` is the id of the newer one.
    """

    def __init__(self, sentence: str, candidate: int) -> None:
        super().__init__(sentence)
        self.candidate = candidate

    def __reduce__(self) -> tuple[type["NewerMask"], tuple[str, int]]:
        return type(self), (str(self), self.candidate)


class WeightsError(TagmaskError):
    """Weights are missing, corrupt or do not fit the network."""


class GradientError(TagmaskError):
    """A network or one of its layers has no gradient maps to give."""


class SaliencyError(TagmaskError):
    """A saliency source is missing or unusable."""


class RefinementError(TagmaskError):
    """The dense CRF is not installed, or one of its workers died."""


class JobError(TagmaskError):
    """A job cannot be queued, started or stopped."""
