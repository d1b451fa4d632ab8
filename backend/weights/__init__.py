"""Where weights come from (shipped, torchvision, a file), checked, with their origin."""

from backend.weights.backbones import (
    BackboneWeights,
    backbone_weights,
    load_backbone,
    search_folders,
)
from backend.weights.card import WeightsCard
from backend.weights.fetching import FETCHABLE, fetch, fetch_classifier
from backend.weights.networks import KINDS, load, read_card, save, shipped

__all__ = [
    "FETCHABLE",
    "KINDS",
    "BackboneWeights",
    "WeightsCard",
    "backbone_weights",
    "fetch",
    "fetch_classifier",
    "load",
    "load_backbone",
    "read_card",
    "save",
    "search_folders",
    "shipped",
]
