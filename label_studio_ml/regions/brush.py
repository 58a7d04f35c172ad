"""Masks: `BrushLabels` and `Brush`, in Label Studio's run-length code both ways.

Runs in the author's process; NumPy and the SDK's codec are imported when a mask is at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import RegionError
from . import geometry
from .geometry import Frame
from .region import Found, Labels, Region, Size, build, found_in, labelled, name_of, value_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_CHANNELS = 4  # the code is of RGBA pixels


@dataclass(frozen=True, kw_only=True)
class Mask(Found):
    """Marked pixels."""

    mask: npt.NDArray[np.bool_]
    """True where marked; (height, width)."""


def brush(
    from_name: str,
    to_name: str,
    label: Labels | None = None,
    *,
    mask: Any,
    score: Any = None,
    id: str | None = None,  # noqa: A002
) -> Region:
    """A mask for `BrushLabels`; without a label for `Brush`. It has the size of the image.

    Args:
        from_name: name of the control tag.
        to_name: name of the image tag.
        label: label or labels.
        mask: (height, width) of bools, or of numbers where everything but 0 is marked: a NumPy array, tensor or
            nested list. A leading dimension of 1 is left off.
        score: how sure the model is, 0 to 1.
        id: the region's id; made up if not given.

    Raises:
        RegionError: the mask has another shape, holds probabilities, or marks nothing.

    >>> region = brush("mask", "image", "Sky", mask=[[True, False], [False, False]])
    >>> region["type"], region["original_width"], len(region["value"]["rle"])
    ('brushlabels', 2, 11)
    >>> read_brush(region).mask.tolist()
    [[True, False], [False, False]]
    """
    import numpy as np
    from label_studio_sdk.converter.brush import encode_rle

    marked = _as_bools(mask)
    height, width = marked.shape
    kind, labels = labelled("brush", label)
    pixels = np.repeat(marked.ravel().astype(np.uint8) * 255, _CHANNELS)
    value = {"format": "rle", "rle": encode_rle(pixels), **labels}
    return build(from_name, to_name, kind, value, score=score, id=id, **Frame(width, height).stored)


def _as_bools(mask: Any) -> npt.NDArray[np.bool_]:
    import numpy as np

    if hasattr(mask, "detach"):  # a tensor, perhaps on a GPU
        mask = mask.detach().cpu().numpy()
    array = np.asarray(mask)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or 0 in array.shape:
        raise RegionError(f"A mask has the shape (height, width), not {array.shape}.")
    if array.dtype.kind not in "biuf":
        raise RegionError(f"A mask holds bools or numbers, not {array.dtype}.")
    if array.dtype.kind == "f" and not np.isin(array, (0, 1, 255)).all():
        raise RegionError("The mask holds probabilities; say which count, as in mask=probabilities > 0.5.")
    marked: npt.NDArray[np.bool_] = array != 0
    if not marked.any():
        raise RegionError("The mask marks no pixel.")
    return marked


def read_brush(region: Mapping[str, Any], *, size: Size | None = None) -> Mask:
    """The mask of a region that `brush` makes, or that a person drew.

    Args:
        region: a region with `rle`.
        size: (width, height) of the image; by default what the region says.

    Raises:
        RegionError: it is no such region, its code is broken or for another size, or the size is unknown.
    """
    import numpy as np
    from label_studio_sdk.converter.brush import decode_rle

    rle = value_of(region, "rle")["rle"]
    frame = geometry.frame_of(region, size)
    shape = (round(frame.height), round(frame.width), _CHANNELS)
    try:
        code = bytes(rle)
        if int.from_bytes(code[:4], "big") != shape[0] * shape[1] * shape[2]:  # told before memory is taken for it
            raise RegionError(f"{name_of(region)} is not for an image of {shape[1]}x{shape[0]} pixels.")
        pixels = np.asarray(decode_rle(code)).reshape(shape)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise RegionError(f"{name_of(region)} has a broken run-length code: {error}.") from None
    return Mask(**found_in(region), mask=pixels[:, :, 3] > 127)  # the edge of a person's stroke is half transparent
