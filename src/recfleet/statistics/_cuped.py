"""CUPED: what a customer did before takes a part of the noise out of what came after.

Deng, Xu, Kohavi & Walker, "Improving the sensitivity of online controlled experiments by utilizing
pre-experiment data", WSDM 2013.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def slope_on(values: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    """θ = cov(values, before) / var(before); 0 where nothing can be learned.

    Args:
        values: (m,) outcomes of the customers of all arms together.
        before: (m,) the same measure before the first exposure.
    """
    if len(values) < 2:
        return 0.0
    centred = before - before.mean()
    square = float(centred @ centred)
    return float(centred @ values) / square if square > 0 else 0.0


def adjusted(
    values: NDArray[np.float64], before: NDArray[np.float64], *, slope: float, centre: float
) -> NDArray[np.float64]:
    """Outcomes less what the past foretold: values - slope (before - centre).

    The means of two arms differ as before in expectation, because a customer's past does not
    depend on the arm; the variance falls by the share ρ² of their correlation.

    Args:
        values: (m,) outcomes of one arm's customers.
        before: (m,) the same measure before the first exposure.
        slope: θ, the same for all arms, see `slope_on`.
        centre: mean of ``before`` over the customers of all arms.
    """
    return np.asarray(values - slope * (before - centre))
