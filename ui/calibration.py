"""A run's calibration.json as the trainer writes it: masks' scores and the true AC (SAL Fig. 9)."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, FiniteFloat, ValidationError, model_validator

from backend.errors import JobError

NAME = "calibration.json"
LARGEST = 32 << 20
# More would be one blot on the page, and slow to send.
MOST_POINTS = 4000

Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Correlation = Annotated[FiniteFloat, Field(ge=-1.001, le=1.001)]
Score = Literal["SC", "SF"]
MASKS = "truth"


class Bin(BaseModel):
    """The masks whose score lies between two values: how many, and the means of both."""

    low: Share = Field(alias="from")
    high: Share = Field(alias="to")
    count: Annotated[int, Field(ge=1)]
    score: Share
    truth: Share


class Drawn(BaseModel):
    """One score: its correlations with the true AC, None where there is none, and its bins."""

    pearson: Correlation | None
    spearman: Correlation | None
    bins: list[Bin]


class Calibration(BaseModel):
    """The whole file; what else stands in it is passed over."""

    format: Literal["tagmask-calibration/1"]
    masks: Annotated[int, Field(ge=1)]
    scores: Annotated[dict[Score, Drawn], Field(min_length=1)]
    points: dict[Literal["truth"] | Score, list[Share]]

    @model_validator(mode="after")
    def _whole(self) -> "Calibration":
        if set(self.points) != {MASKS, *self.scores}:
            raise ValueError("the points are not those of the scores")
        if any(len(values) != self.masks for values in self.points.values()):
            raise ValueError("there is not a point for each mask")
        return self


def read_calibration(folder: Path) -> dict[str, Any]:
    """What the file tells, its points evenly thinned where there are very many; JobError with a
    sentence where there is none or it cannot be used.
    """
    own = folder.resolve()
    if not own.is_dir():
        raise JobError(
            f"The folder of this run ({folder.name}) is gone, and what it measured with it. Run it "
            "again, or restore the folder from a backup."
        )
    path = (own / NAME).resolve()
    # A link in the folder may lead anywhere.
    if path.parent != own or not path.is_file():
        raise JobError(
            "No calibration was kept: none of the masks that this run scored has a true mask "
            "beside it to be compared with."
        )
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST >> 20} MiB")
        told = Calibration.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _unusable(f"{where}: {first['msg']}" if where else first["msg"]) from None
    except (OSError, ValueError) as error:
        raise _unusable(getattr(error, "strerror", None) or str(error)) from None
    every = -(-told.masks // MOST_POINTS)
    told.points = {name: values[::every] for name, values in told.points.items()}
    return told.model_dump(by_alias=True)


def _unusable(reason: str) -> JobError:
    return JobError(
        f"The {NAME} of this run cannot be used ({reason}). Run it again, and it is written anew."
    )
