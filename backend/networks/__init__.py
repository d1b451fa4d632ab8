"""torch modules: forward passes only, no files, no devices."""

from backend.networks.backbones import backbone_names, build_backbone
from backend.networks.classifier import CamClassifier, ClassifierOutput
from backend.networks.normalisation import CAFFE, TORCHVISION, Normalisation

__all__ = [
    "CAFFE",
    "TORCHVISION",
    "CamClassifier",
    "ClassifierOutput",
    "Normalisation",
    "backbone_names",
    "build_backbone",
]
