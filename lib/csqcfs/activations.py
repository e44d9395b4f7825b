"""The activation family of the paper: QCFS, S-QCFS, C-QCFS, CS-QCFS (Eqs. 11, 16-18).

One function, two switches: a threshold per layer or per channel, used directly (theta = lambda) or through
Softplus (theta = Softplus(lambda), Eq. 15):

    f(z) = theta * clip(floor(z L / theta + 1/2) / L, 0, 1)

The modules differ only in these switches:

    ==========  =============  ==========================
    class       threshold      positive for every lambda?
    ==========  =============  ==========================
    `QCFS`      one per layer  no
    `SQCFS`     one per layer  yes
    `CQCFS`     per channel    no
    `CSQCFS`    per channel    yes
    ==========  =============  ==========================

Two more answer what Softplus costs: `CTQCFS` is CS-QCFS with the step of training on theta instead of lambda, and
`CEQCFS` has theta = Exp(lambda); the notebook *What Softplus costs* compares them.

The gradients are those of `kernels.py`, which follow the derivation and not the misprints of Eqs. 19-20.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .engine import kernels
from .engine.errors import InputError, integer, shown

SMALLEST = 1e-30  # least threshold of a positive activation, still far above the least normal float32
LARGEST = 80.0  # logarithm of the largest threshold of Exp, still finite in float32; float16 has bounds of its own
LEAST_SLOPE = 0.1  # of Softplus, by whose square the step on theta is scaled


def inverse_softplus(theta: Tensor) -> Tensor:
    """lambda with Softplus(lambda) = theta: log(exp(theta) - 1), without overflow for large theta.

    Algorithm 1, line 9 hands theta itself to CS-QCFS, which would raise a threshold of 0.5 to 0.974.
    """
    exact = theta.to(torch.promote_types(theta.dtype, torch.float32))
    return (exact + torch.log(-torch.expm1(-exact))).to(theta.dtype)


def at_least(theta: Tensor) -> Tensor:
    """``theta``, but never below `SMALLEST`, or the least normal number of its type where that is larger."""
    return theta.clamp_min(max(SMALLEST, torch.finfo(theta.dtype).tiny))


def qcfs(z: Tensor, theta: Tensor, L: int, window: str = "paper") -> Tensor:
    """theta * clip(floor(z L / theta + 1/2) / L, 0, 1), with straight-through gradients.

    Args:
        z: pre-activation, [N, C, ...].
        theta: threshold, [] for the layer or [C] for its channels (dimension 1 of ``z``).
        L: quantization step, the number of levels above zero.
        window: where the input gradient passes, see `kernels.WINDOWS`.

    Raises:
        InputError: ``theta`` has neither no dimension nor one entry for each channel of ``z``, or ``z`` whole numbers.
    """
    if not z.is_floating_point():
        raise InputError(f"input of {z.dtype}: expected floats, which levels of theta / L are; use z.float()")
    if theta.dim() > 1:
        raise InputError(f"theta of shape {list(theta.shape)}: expected [] or [C]; use theta.flatten()")
    if theta.dim() == 1 and (z.dim() < 2 or z.shape[1] != theta.shape[0]):
        found = z.shape[1] if z.dim() > 1 else "none"
        raise InputError(
            f"input of shape {list(z.shape)} has {found} channels, expected {theta.shape[0]} thresholds "
            "in dimension 1; build the activation with the channels of its layer"
        )
    return kernels.QuantizedClip.apply(z, theta, L, window)


def checked_threshold(threshold: float | Tensor, dtype: torch.dtype) -> Tensor:
    """``threshold`` as a tensor of ``dtype``, where it lies; a number goes to the default device.

    Raises:
        InputError: something that is not finite and above 0, in ``dtype`` as in itself.
    """
    try:
        if isinstance(threshold, Tensor):
            theta = threshold.detach().to(dtype)
        else:
            theta = torch.as_tensor(threshold, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"threshold = {shown(threshold)}: expected a finite value above 0; the paper starts at 4"
        ) from error
    if not theta.is_meta and bool((bad := ~((theta > 0) & theta.isfinite())).any()):
        given = float(torch.as_tensor(threshold, dtype=torch.float64, device="cpu")[bad.cpu()][0])
        where = f" in {dtype}" if 0 < given < math.inf else ""
        raise InputError(f"threshold = {given:g}: expected a finite value above 0{where}; the paper starts at 4")
    return theta


class ThresholdActivation(nn.Module):
    """A trainable threshold around `qcfs`; the activations are its subclasses.

    Attributes:
        raw: the one parameter, lambda; [] for the layer or [C] for its channels.
        threshold: the effective theta, equal to the constructor's argument at the start.
        channels: channels of the layer where known, also for one threshold per layer.
        bound: of the clipped ReLU that stood here, which `calibrate` goes by; training may move the threshold past it.
    """

    positive = False  # for every lambda
    bound = math.inf

    def __init__(self, channels: int | None, threshold: float | Tensor, L: int, window: str, per_channel: bool):
        super().__init__()
        levels, width = integer(L), integer(channels)
        if levels is None or levels < 1:
            raise InputError(f"L = {L!r}: expected a whole number of quantization steps, 1 or more; try L=4")
        if window not in kernels.WINDOWS:
            raise InputError(f"window = {window!r}: expected one of {', '.join(kernels.WINDOWS)}")
        if per_channel and (width is None or width < 1):
            raise InputError(f"channels = {channels!r}: expected the layer's number of channels, 1 or more")
        own = torch.get_default_dtype()
        if isinstance(threshold, Tensor) and threshold.is_floating_point():
            own = threshold.dtype
        theta = checked_threshold(threshold, own)
        shape = () if width is None or not per_channel else (width,)
        if theta.shape not in ((), shape):
            raise InputError(
                f"threshold of shape {list(theta.shape)}: expected one value or shape {list(shape)}, "
                "one for each channel"
            )
        theta = theta.expand(shape).clone()
        self.L, self.window, self.channels = levels, window, width
        self.raw = nn.Parameter(self.to_raw(theta))

    @staticmethod
    def to_raw(theta: Tensor) -> Tensor:
        """lambda of an effective theta."""
        return theta

    @property
    def threshold(self) -> Tensor:
        """Effective theta, [] or [C], differentiable in ``raw``."""
        return self.raw

    @property
    def per_channel(self) -> bool:
        return self.raw.dim() == 1

    def forward(self, z: Tensor) -> Tensor:
        return qcfs(z, self.threshold, self.L, self.window)

    def extra_repr(self) -> str:
        theta = self.threshold.detach()
        if theta.is_meta:
            spread = "meta"
        else:
            spread = f"{theta.min():.4g}..{theta.max():.4g}" if self.per_channel else f"{theta:.4g}"
        bound = "" if math.isinf(self.bound) else f", bound={self.bound:g}"
        return f"L={self.L}, threshold={spread}, channels={self.channels}{bound}"


class QCFS(ThresholdActivation):
    """QCFS (Eq. 11): one threshold for the layer, used directly, so training may turn it negative."""

    def __init__(
        self, L: int = 4, threshold: float | Tensor = 4.0, *, window: str = "paper", channels: int | None = None
    ):
        super().__init__(channels, threshold, L, window, per_channel=False)


class Softplus:
    """theta = Softplus(lambda), Eq. 15, for a class of the family."""

    positive = True
    raw: nn.Parameter
    to_raw = staticmethod(inverse_softplus)

    @property
    def threshold(self) -> Tensor:
        # exp(lambda) underflows below about -103 in float32, where Softplus would return 0
        return at_least(F.softplus(self.raw, threshold=30.0))


class SQCFS(Softplus, QCFS):
    """S-QCFS (Eq. 16), "w/o channel" in Table 3: QCFS with theta = Softplus(lambda) > 0."""


class CQCFS(ThresholdActivation):
    """C-QCFS (Eq. 17), "w/o Softplus" in Table 3: one threshold for each channel, used directly."""

    def __init__(self, channels: int, L: int = 4, threshold: float | Tensor = 4.0, *, window: str = "paper"):
        super().__init__(channels, threshold, L, window, per_channel=True)


class CSQCFS(Softplus, CQCFS):
    """CS-QCFS (Eq. 18): one threshold for each channel with theta = Softplus(lambda) > 0."""


class CTQCFS(CSQCFS):
    """CS-QCFS whose step is one of theta: SGD on lambda moves theta by Sigmoid(lambda)^2 of such a step.

    So the gradient of lambda is divided by Sigmoid(lambda)^2 here, and theta changes by rate times its own gradient, as
    that of C-QCFS, and still is positive for every lambda. Where the slope is below 0.1, at theta below 0.105, it
    counts as 0.1: the last bit of the way to zero stays damped, or one step would end it.
    """

    @property
    def threshold(self) -> Tensor:
        raw = self.raw
        slope = torch.sigmoid(raw.detach()).clamp_min(LEAST_SLOPE)
        # the value is lambda, the derivative 1 / slope^2
        return at_least(F.softplus(raw.detach() + (raw - raw.detach()) / slope**2, threshold=30.0))


class CEQCFS(CQCFS):
    """CE-QCFS: one threshold for each channel with theta = Exp(lambda) > 0, which section 4.1.3 dismisses."""

    positive = True

    @staticmethod
    def to_raw(theta: Tensor) -> Tensor:
        return torch.log(theta)

    @property
    def threshold(self) -> Tensor:
        return at_least(self.raw.clamp_max(min(LARGEST, math.log(torch.finfo(self.raw.dtype).max) - 0.1)).exp())
