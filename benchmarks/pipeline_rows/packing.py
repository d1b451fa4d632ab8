"""The predictions of a pipeline as one archive that says which stages made them."""

import json
import zipfile
from pathlib import Path

from benchmarks.pipeline_rows.rows import Row

EPOCH = (1980, 1, 1, 0, 0, 0)  # the same predictions are the same bytes


def pack(pipeline: Path, row: Row, archive: Path) -> bool:
    """Writes a finished pipeline's predictions/IMAGE.png as a zip; whether they are this row's.

    The zip's comment is the digest of the stage that made them, as the row has it.
    """
    told = pipeline / "pipeline.json"
    if not told.is_file():
        return False
    stages = json.loads(told.read_text(encoding="utf-8"))["stages"]
    digest = row.digests["predictions"]
    if digest not in [stage["digest"] for stage in stages]:
        return False
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as made:
        for path in sorted((pipeline / "predictions").glob("*.png")):
            made.writestr(zipfile.ZipInfo(path.name, EPOCH), path.read_bytes())
        made.comment = digest.encode()
    partial.replace(archive)
    return True
