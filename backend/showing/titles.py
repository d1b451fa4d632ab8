"""What columns of a figure are called where nobody says otherwise: short, as in a paper."""

from backend.inspection import METHODS

IMAGE, TRUTH = "image", "truth"

_TITLES = {
    IMAGE: "Image",
    TRUTH: "Ground truth",
    "cam": "CAM",
    "gradcam": "GradCAM",
    "gradcampp": "GradCAM++",
    "layercam": "LayerCAM",
    "seenet.initial": "Initial map",
    "seenet.zones": "Zones",
    "seenet.erased": "After erasing",
    "seenet.fused": "Fused",
    "seenet.flipfused": "SeeNet",
    "oaa.pass": "One pass",
    "oaa.accumulated": "OAA",
    "oaaplus": "OAA+",
    "ecsnet.cam": "First map",
    "ecsnet.erased": "Erased image",
    "ecsnet.erasedcam": "Second map",
    "ecsnet.refined": "ECS-Net",
    "dcsp.cam": "Attention",
    "dcsp.cues": "Cues",
    "dcsp.segmentation": "Own labels",
    "zones": "Zones",
    "saliency": "Saliency",
    "fusion.seenet": "Labels (SeeNet)",
    "fusion.dcsp": "Labels (DCSP)",
    "fusion.oaa": "Labels (OAA)",
    "crf": "+ CRF",
    "walk": "+ random walk",
    "grabcut": "+ GrabCut",
    "sal.score": "Reference mask",
    "truth.attention": "Errors of the map",
    "truth.error": "Errors",
    "accepted": "Accepted",
}


def stage_title(stage: str) -> str:
    """The title of a stage; one that nobody named goes by its own name."""
    return _TITLES.get(stage, stage)


def method_title(name: str) -> str:
    """The title of an attention method, or of a mask's method by its first part."""
    first = name.split(" · ")[0]
    source = first.split(".")[0]
    return METHODS[source].title if source in METHODS else first
