"""Shape-checked, read-only arrays for the frozen data types."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cluster_qc.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]


def frozen(
    value: ArrayLike, shape: tuple[int | None, ...], name: str, dtype: Any = np.float64
) -> NDArray[Any]:
    """Return `value` as a read-only array of the given shape (None matches any length).

    Raises
    ------
    InputError
        If the shape differs or a floating-point value is not finite.
    """
    array = np.array(value, dtype=dtype)
    if array.ndim != len(shape) or any(
        want is not None and have != want for have, want in zip(array.shape, shape, strict=True)
    ):
        expected = tuple("any" if n is None else n for n in shape)
        raise InputError(f"{name} has shape {array.shape}, expected {expected}")
    if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
        raise InputError(f"{name} holds values that are not finite")
    array.setflags(write=False)
    return array
