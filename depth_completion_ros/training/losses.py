"""The losses of the five papers.

Depth and ground truth are (N, 1, H, W) metres. A pixel is valid where the ground truth is finite and above the
threshold of its paper's implementation; whatever stands anywhere else, NaN included, changes neither a loss nor its
gradient. Without any valid pixel every loss is 0, with a gradient of 0, so that one empty crop stops no training.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

_SOBEL = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))
_LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def nlspn_loss(depth: Tensor, truth: Tensor, max_depth: float, powers: Iterable[int] = (1, 2)) -> Tensor:
    """Mean absolute error (power 1), mean squared error (2), or their sum: mean over each image, then over the batch.

    Park et al., Non-Local Spatial Propagation Network for Depth Completion, ECCV 2020, Eq. 10, and Jun et al., Masked
    Spatial Propagation Network, CVPR 2024, Eq. 14. As in the authors' implementations, both maps are first limited to
    the range of the data set, so that no error beyond it counts, nor has a gradient.

    Args:
        depth: see the module.
        truth: see the module; valid is above 0.1 mm.
        max_depth: metres; theirs are 10 for NYU and 90 for KITTI.
        powers: 1 for NYU, 1 and 2 for KITTI.
    """
    valid = _valid(depth, truth, threshold=1e-4)
    error = _error(depth.clamp(0, max_depth), truth.clamp(0, max_depth), valid).abs()
    return _image_means(torch.stack([error**power for power in powers]).sum(0), valid).mean()


def silog_loss(depth: Tensor, truth: Tensor, alpha: float = 10.0, mean_share: float = 0.85) -> Tensor:
    """Scale-invariant logarithmic error, over all valid pixels of the batch.

    Jun et al., Masked Spatial Propagation Network for Sparsity-Adaptive Depth Refinement, CVPR 2024, Eq. 15:
    ``alpha * sqrt(mean(e^2) - mean_share * mean(e)^2)`` with ``e`` the logarithm of depth over truth.

    Args:
        depth: see the module.
        truth: see the module; valid is above 0.1 mm. Depths of 0 and less count as 1e-10 m.
        alpha: factor of the loss.
        mean_share: lambda, how much of an error that all pixels share is forgiven.
    """
    valid = _valid(depth, truth, threshold=1e-4)
    error = torch.where(valid, depth, 1).clamp(min=1e-10).log() - torch.where(valid, truth, 1).log()
    count = valid.sum().clamp(min=1)
    squared = error.square().sum() / count - mean_share * (error.sum() / count).square()
    # The root of 0 has no slope: a perfect depth is to have the gradient 0 instead of NaN.
    return alpha * torch.where(squared > 0, squared, 1).sqrt() * (squared > 0)


def relative_loss(
    depth: Tensor,
    truth: Tensor,
    weight: Tensor,
    max_depth: float,
    squared: float = 0.5,
    logarithmic: float = 0.5,
) -> Tensor:
    """Mean absolute error, root mean square error and mean absolute error of log depth; mean over the images.

    Ours: the first two, which are what is scored, are relative to the mean depth of the image, so that rooms count as
    much as streets; the third does not let what is near be forgotten. No root of a whole batch, in which one image of
    large errors would rule.

    Args:
        depth: see the module.
        truth: see the module; valid is above 0.1 mm.
        weight: (N, 1, H, W), how much each pixel counts.
        max_depth: metres; in the first two, larger depths and truths count as this. The log depth has no such limit.
        squared: factor of the root mean square error.
        logarithmic: factor of the error of log depth.
    """
    valid = _valid(depth, truth, threshold=1e-4)
    weight = torch.where(valid, weight, 0)
    limited = torch.where(valid, truth, 1).clamp(0, max_depth)
    error = torch.where(valid, depth.clamp(1e-3, max_depth) - limited, 0)
    ratio = torch.where(valid, depth, 1).clamp(min=1e-3).log() - torch.where(valid, truth, 1).log()

    def mean(values: Tensor) -> Tensor:
        return (weight * values).flatten(1).sum(1) / weight.flatten(1).sum(1).clamp(min=1)

    squares = mean(error.square())
    root = torch.where(squares > 0, squares, 1).sqrt() * (squares > 0)  # the root of 0 has no slope
    scale = mean(limited).clamp(min=1e-3)
    return ((mean(error.abs()) + squared * root) / scale + logarithmic * mean(ratio.abs())).mean()


def confidence_loss(logit: Tensor, depth: Tensor, truth: Tensor, tolerance: float = 0.05) -> Tensor:
    """Cross entropy of the stated probability that the depth is within ``tolerance`` of the truth; over all pixels.

    Args:
        logit: (N, 1, H, W) of the probability.
        depth: see the module; gets no gradient.
        truth: see the module; valid is above 0.1 mm.
        tolerance: share of the truth.
    """
    valid = _valid(depth, truth, threshold=1e-4)
    within = (depth.detach() - truth).abs() < tolerance * truth
    logit = torch.where(valid, logit, 0)
    entropy = functional.binary_cross_entropy_with_logits(logit, within.to(logit), reduction="none")
    return torch.where(valid, entropy, 0).sum() / valid.sum().clamp(min=1)


def emdc_loss(depth: Tensor, local_depth: Tensor, global_depth: Tensor, truth: Tensor) -> Tensor:
    """Absolute errors of the final depth and of both branches, and the corrected gradient loss of the final depth.

    Hou et al., Learning an Efficient Multimodal Depth Completion Model, ECCV 2022 workshops, Eqs. 2 to 6: every term is
    scaled to the value of the first, the gradient loss to 0.7 of it, by factors that have no gradient themselves. Each
    is the mean over each image, then over the batch; the authors' implementation takes the sum over the batch.

    Args:
        depth: final depth, see the module.
        local_depth: of the local branch.
        global_depth: of the global branch.
        truth: see the module; valid is above 1 mm.
    """

    def absolute(estimate: Tensor) -> Tensor:
        valid = _valid(estimate, truth, threshold=1e-3)
        return _image_means(_error(estimate, truth, valid).abs(), valid).mean()

    final = absolute(depth)
    total = final
    terms = (absolute(local_depth), 1.0), (absolute(global_depth), 1.0), (corrected_gradient_loss(depth, truth), 0.7)
    for term, share in terms:
        # A term that is 0 (nothing left to learn, or no pixel with all neighbours valid) cannot be scaled.
        factor = torch.where(term > 0, final / torch.where(term > 0, term, 1), 0)
        total = total + share * factor.detach() * term
    return total


def corrected_gradient_loss(depth: Tensor, truth: Tensor) -> Tensor:
    """Absolute difference of the Sobel gradients where a pixel and all eight around it are valid.

    Hou et al. (see :func:`emdc_loss`), Eq. 1, whose erosion keeps the gradients of holes in the ground truth out of
    the loss. Sum over both axes of the mean over each image, then over the batch.

    Args:
        depth: see the module.
        truth: see the module; valid is above 1 mm.
    """
    valid = _valid(depth, truth, threshold=1e-3)
    error = _error(depth, truth, valid)
    sobel = error.new_tensor(_SOBEL)
    gradients = functional.conv2d(error, torch.stack([sobel, sobel.T])[:, None], padding=1)
    inner = _all_valid(valid, torch.ones_like(sobel))
    return _image_means(gradients.abs().sum(1, keepdim=True), inner).mean()


def magaconv_loss(depth: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error plus structure consistency: mean over each image, then over the batch.

    Huang et al., Mask-adaptive Gated Convolution and Bi-directional Progressive Fusion Network for Depth Completion,
    arXiv 2401.07439v1, Eq. 9.

    Args:
        depth: see the module.
        truth: see the module; valid is above 0.
    """
    valid = _valid(depth, truth, threshold=0)
    return _image_means(_error(depth, truth, valid).square(), valid).mean() + structure_consistency_loss(depth, truth)


def structure_consistency_loss(depth: Tensor, truth: Tensor) -> Tensor:
    """Mean squared difference of the Laplacians, over each image, then over the batch.

    Huang et al. (see :func:`magaconv_loss`), Eq. 8, which names no kernel: this is the one of the four neighbours,
    taken where these and the pixel are valid.

    Args:
        depth: see the module.
        truth: see the module; valid is above 0.
    """
    valid = _valid(depth, truth, threshold=0)
    error = _error(depth, truth, valid)
    kernel = error.new_tensor(_LAPLACIAN)
    laplacian = functional.conv2d(error, kernel[None, None], padding=1)
    return _image_means(laplacian.square(), _all_valid(valid, (kernel != 0).to(error))).mean()


def auxiliary_loss(
    depth: Tensor, truth: Tensor, image: Tensor, gray: Tensor, power: int = 2, image_weight: float = 1e-4
) -> Tensor:
    """Error of the depth plus the squared error of the image: mean over each image, then over the batch.

    Lu et al., From Depth What Can You See? Depth Completion via Auxiliary Image Reconstruction, CVPR 2020, Eqs. 13 to
    15.

    Args:
        depth: see the module.
        truth: see the module; valid is above 0.
        image: (N, 1, H, W) reconstructed image.
        gray: (N, 1, H, W) gray camera image in 0..255, the range that ``image_weight`` is meant for.
        power: 2 for the squared error of the depth, 1 for the absolute one of section 4.3.
        image_weight: w_img; that of the depth is 1.
    """
    valid = _valid(depth, truth, threshold=0)
    error = _error(depth, truth, valid).abs()
    if image.shape != gray.shape:
        raise ValueError(f"image is {tuple(image.shape)}, gray {tuple(gray.shape)}; expected the same")
    return _image_means(error**power, valid).mean() + image_weight * (image - gray).square().mean()


def _valid(depth: Tensor, truth: Tensor, threshold: float) -> Tensor:
    """Where the ground truth counts.

    Raises:
        ValueError: the maps have another shape than (N, 1, H, W), or not the same.
    """
    if depth.shape != truth.shape or depth.ndim != 4 or depth.shape[1] != 1:
        raise ValueError(f"depth is {tuple(depth.shape)}, truth {tuple(truth.shape)}; expected (N, 1, H, W) twice")
    return (truth > threshold) & truth.isfinite()


def _error(depth: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Depth minus truth, 0 where the latter is not valid."""
    return torch.where(valid, depth, 0) - torch.where(valid, truth, 0)


def _all_valid(valid: Tensor, stencil: Tensor) -> Tensor:
    """Where all pixels under the 3x3 ``stencil`` of zeros and ones are inside the image and valid."""
    count = functional.conv2d(valid.to(stencil), stencil[None, None], padding=1)
    return count == stencil.sum()


def _image_means(values: Tensor, valid: Tensor) -> Tensor:
    """(N,) mean of the valid pixels of each image, 0 where there is none."""
    total = torch.where(valid, values, 0).flatten(1).sum(1)
    return total / valid.flatten(1).sum(1).clamp(min=1)
