"""Class activation maps out of gradients: what a class score owes to each channel and each place.

All take the activations A of one layer and the gradients g of one class score with respect to
them, both (C,h,w), and give the raw map float32 (h,w), 0 or above. They raise ValueError where the
two differ in shape, are not (C,h,w), or hold NaN.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.maps import arrays


def gradcam(activations: ArrayLike, gradients: ArrayLike) -> NDArray[np.float32]:
    """The channels, each weighted by the mean of its gradients: relu(sum_k mean(g_k) A_k).

    Source: GradCAM (Selvaraju et al., 2017), Eq. 1 and 2.
    """
    features, slopes = _pair(activations, gradients)
    return _weighted(features, slopes.mean(axis=(1, 2)))


def gradcam_plus_plus(activations: ArrayLike, gradients: ArrayLike) -> NDArray[np.float32]:
    """The channels, each weighted by its positive gradients times alpha:
    relu(sum_k sum_ij(alpha_kij relu(g_kij)) A_k).

    alpha = g^2 / (2 g^2 + S g^3) with S the sum of the channel, 0 where g is 0; g is taken of the
    logit, since the exponential that the paper puts on it is one factor for the whole map. The
    paper's features are rectified; where a layer's are not, S is the sum of their positive part:
    below zero it would give alpha a pole.
    Source: GradCAM++ (Chattopadhay et al., 2018), Eq. 5 and 19.
    """
    features, slopes = _pair(activations, gradients)
    sums = np.maximum(features, 0).sum(axis=(1, 2), keepdims=True)
    rising = np.maximum(slopes, 0)
    # g^2 is cancelled out of the fraction: g^3 leaves float32 long before g does.
    return _weighted(features, (rising / (2 + sums * rising)).sum(axis=(1, 2)))


def layercam(activations: ArrayLike, gradients: ArrayLike) -> NDArray[np.float32]:
    """Each place weighted by its own positive gradient: relu(sum_k relu(g_k) A_k).

    Source: LayerCAM (Jiang et al., 2021).
    """
    features, slopes = _pair(activations, gradients)
    return np.maximum((np.maximum(slopes, 0) * features).sum(axis=0), 0)


def _weighted(features: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.maximum(np.tensordot(weights, features, axes=1), 0)


def _pair(
    activations: ArrayLike, gradients: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    features = arrays.numbers(activations, "activations").astype(np.float32, copy=False)
    slopes = arrays.numbers(gradients, "gradients").astype(np.float32, copy=False)
    if features.ndim != 3 or 0 in features.shape:
        raise ValueError(
            f"activations must have the shape (channels, height, width), but has {features.shape}."
        )
    arrays.require_shape(slopes, "gradients", features.shape)
    return features, slopes
