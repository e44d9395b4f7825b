"""How far the thresholds of one layer's channels lie apart (Table 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def spread_of_layers(thresholds: Mapping[str, Sequence[float]]) -> np.ndarray:
    """(max - min) / min of each site's thresholds in % (section 5.6.1); infinite where min is not positive."""
    low, high = (np.array([choose(values) for values in thresholds.values()]) for choose in (min, max))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(low > 0, 100 * (high - low) / low, np.inf)
