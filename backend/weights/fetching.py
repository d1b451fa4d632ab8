"""Downloads torchvision's ImageNet weights into torch's cache, only when a person asks for it."""

from pathlib import Path
from urllib.error import URLError

import torch

import backend.torchvision_shim  # noqa: F401  (before any import of torchvision)
from backend.errors import WeightsError
from backend.weights import classifiers
from backend.weights.backbones import BackboneWeights, describe

FETCHABLE = ("vgg16", "squeezenet1_1", "mobilenet_v2", "resnet50", "resnet101")


def address_of(name: str) -> str:
    """Where torchvision publishes the weights of a backbone or of a classifier `torchvision:NAME`:
    the first ImageNet ones, as the papers used.
    """
    from torchvision.models import get_model_weights

    if name.startswith(classifiers.PREFIX):
        return str(classifiers.release(classifiers.bare(name)).url)
    if name not in FETCHABLE:
        raise WeightsError(
            f"torchvision has no weights for '{name}' here; it has {', '.join(FETCHABLE)}, and "
            f"whole classifiers by the names {classifiers.PREFIX}NAME."
        )
    return str(get_model_weights(name)["IMAGENET1K_V1"].url)


def fetch(name: str) -> BackboneWeights:
    """torchvision's weights for a backbone, downloaded unless torch's cache has them, sha256
    checked. Raises WeightsError as `download` does, or where the file in the cache is damaged.
    """
    target = download(address_of(name))
    weights = describe(name, target)
    digits = target.stem.rsplit("-", 1)[-1]
    if not weights.origin["sha256"].startswith(digits):
        raise WeightsError(f"{target} is damaged: its sha256 should begin with {digits}.")
    return weights


def fetch_classifier(name: str) -> classifiers.ClassifierCard:
    """The same for a whole ImageNet classifier, `torchvision:NAME`."""
    return classifiers.read_card(name, download(address_of(name)))


def download(address: str) -> Path:
    """The file of an address in torch's cache, downloaded unless it is there.

    It appears under its name only when it is whole and its sha256 begins with the digits in its
    name. Raises WeightsError without a network, or where the file is not the published one.
    """
    target = Path(torch.hub.get_dir()) / "checkpoints" / address.rsplit("/", 1)[-1]
    if target.is_file():
        return target
    digits = target.stem.rsplit("-", 1)[-1]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(address, str(target), digits, progress=False)
    except RuntimeError as error:
        raise WeightsError(
            f"What {address} sent is not the published file (sha256 {digits}...); try again later."
        ) from error
    except (URLError, OSError) as error:
        raise WeightsError(
            f"{address} could not be downloaded ({error}); where there is no network, copy the "
            f"file to {target} yourself."
        ) from error
    return target
