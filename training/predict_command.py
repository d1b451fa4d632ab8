"""`python -m training predict`: what a trained network paints of every image of a folder."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.cli import Parser
from training.errors import TrainingError
from training.machine import Machine
from training.mask_learning import FUSIONS
from training.recipes.labels import CRF_PRESETS
from training.run import Cancelled, Run, command_line, make_folder
from training.voc_submission import COMPETITIONS

if TYPE_CHECKING:
    from torch import nn

    from backend.weights import WeightsCard

EVERY_IMAGE = "all"
SERVERS_LIST = "test"


def predict_command(arguments: Sequence[str]) -> int:
    """Runs `predict`; the exit status: 2 where an image is left out."""
    given = _parser().parse_args(arguments)
    scales = _scales(given.scales)
    if given.size is not None and given.size < 0:
        raise TrainingError(f"--size is {given.size}; it must be at least 0.")
    crf = None if given.crf == "none" else given.crf
    split = given.split or (SERVERS_LIST if given.voc_submission else EVERY_IMAGE)
    run = Run(
        "predict",
        given.out.absolute(),
        data=given.data,
        split=split,
        command=command_line(["predict", *arguments]),
    )
    with run.stop:
        try:
            return _predict(run, given, scales, crf)
        except Cancelled:
            run.say("tagmask: stopped as asked; the same command goes on from here.")
            return run.stop.exit_code
        except RuntimeError as problem:
            from training.loop import is_out_of_memory

            if not is_out_of_memory(problem):
                raise
            raise TrainingError(
                "The memory does not suffice for these images. Lower --size or --scales, or stop "
                "what else runs there; the same command goes on from here."
            ) from problem


def _parser() -> Parser:
    parser = Parser(
        prog="python -m training predict",
        description="OUT/IMAGE.png at the image's size: palette PNGs of a segmenter's labels, grey "
        "ones of a saliency network. The same command goes on with what is not there yet.",
    )
    add = parser.add_argument
    add("--run", required=True, help="a run's folder, a weights file, or a shipped name")
    add("--data", type=Path, required=True, help="VOC devkit, folder of images, or manifest.json")
    add("--out", type=Path, required=True, help="the folder to write into")
    add("--split", help="list of images (all; with --voc-submission test)")
    add("--size", type=int, help="shorter side at scale 1; 0: the image's own (the run's)")
    add("--scales", default="1", help="such as 0.5,0.75,1: sizes as parts of it, fused (1)")
    add("--flip", action="store_true", help="look at the mirrored image too")
    add(
        "--fusion",
        choices=FUSIONS,
        default="mean",
        help="mean of the views' probabilities, or max of their logits (mean)",
    )
    add("--crf", choices=CRF_PRESETS, default="none", help="whose dense CRF (none)")
    add("--limit-to-tags", action="store_true", help="labels hold an image's tags alone")
    add("--voc-submission", type=Path, metavar="FILE", help="write the server's archive, .tgz")
    add("--competition", choices=COMPETITIONS, default="comp6", help="its folder (comp6)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(auto)")
    add("--precision", choices=("auto", "32", "bf16"), default="auto", help="(auto)")
    return parser


def _predict(run: Run, given: Any, scales: tuple[float, ...], crf: str | None) -> int:
    from backend.exchange.names import some
    from backend.exchange.sources import open_source
    from backend.weights import load
    from training import voc_submission
    from training.machine import open_fabric
    from training.painting import crf_parameters
    from training.predictions import predict
    from training.viewing import Viewing

    if crf is not None:
        crf_parameters(crf)
    fabric = open_fabric(Machine(device=given.device, precision=given.precision))
    network, card = load(given.run, str(fabric.device))
    _require_fitting(network, card, given, crf)
    source = open_source(run.data, run.split)  # type: ignore[arg-type]
    for note in source.notes:
        run.message(note)
    classes = dict(zip(card.class_ids, card.classes, strict=True))
    if given.voc_submission is not None:
        voc_submission.check_name(given.voc_submission)
        voc_submission.check_classes(classes)
    numbers = {name: id for id, name in source.classes.items()}
    other = [name for id, name in classes.items() if numbers.get(name, id) != id]
    if other:
        run.message(
            f"The labels carry the ids that the network learnt; {source.root} numbers "
            f"{some(other)} otherwise."
        )
    size = card.input_size if given.size is None else given.size
    make_folder(run.folder)
    done = predict(
        run,
        fabric,
        network,
        source,
        classes,
        card.normalisation,
        Viewing(size, scales, given.flip, given.fusion),
        run.folder,
        weights=card.digest,
        limit_to_tags=given.limit_to_tags,
        crf=crf,
    )
    print(f"{done.files} predictions of {len(source.items)} images in {given.out}")
    if done.left_out:
        print(
            f"tagmask: {len(done.left_out)} images are left out: {', '.join(done.left_out)}. The "
            "same command tries them again.",
            file=sys.stderr,
        )
    if given.voc_submission is not None:
        made = voc_submission.write_submission(
            given.voc_submission, run.folder, source.items, run.split or "", given.competition
        )
        print(f"{len(source.items)} predictions packed into {made}")
    return 2 if done.left_out else 0


def _require_fitting(
    network: "nn.Module", card: "WeightsCard", given: Any, crf: str | None
) -> None:
    """Raises TrainingError for a network that paints nothing, or not what was asked for."""
    if hasattr(network, "segment"):
        return
    if not hasattr(network, "saliency"):
        raise TrainingError(
            f"{card.name} is of the kind '{card.kind}', which makes attention maps and no labels. "
            "`python -m training labels` makes labels of them; `predict` takes a run of segment."
        )
    asked = {
        "--crf": crf is not None,
        "--limit-to-tags": given.limit_to_tags,
        "--voc-submission": given.voc_submission is not None,
    }
    wrong = [flag for flag, is_asked in asked.items() if is_asked]
    if wrong:
        raise TrainingError(
            f"{card.name} is a saliency network: it knows no classes. Leave out {wrong[0]}."
        )


def _scales(text: str) -> tuple[float, ...]:
    try:
        scales = tuple(float(part) for part in text.split(","))
    except ValueError:
        scales = ()
    if not scales or not all(0.1 <= scale <= 4 for scale in scales):
        raise TrainingError(
            f"--scales is '{text}'; it takes numbers from 0.1 to 4 with commas between them, such "
            "as 0.5,0.75,1."
        )
    return scales
