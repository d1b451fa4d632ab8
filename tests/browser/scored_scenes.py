"""Small Scenes whose true masks stand as candidates, with the scores that a test gives them."""

from backend.images import encode_png
from backend.labels import encode_labels
from backend.workspace import Workspace


def add_scene(workspace: Workspace, number: int, score: float | None) -> None:
    """The scene of this number and a candidate of it; without SF where the score is None."""
    from training.scenes import render

    scene = render(seed=11, index=number, size=96)
    store = workspace.store
    image = store.images.add(
        f"scene_{number}", encode_png(scene.image), source="test", tags=scene.tags
    ).image
    scores = {} if score is None else {"SF": score}
    store.candidates.add(image.id, None, "test", encode_labels(scene.labels), scores)
