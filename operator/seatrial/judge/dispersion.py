"""How clustered errors are: variance over mean of the bad events per scrape.

Independent errors give 1 (a Poisson or binomial count); retries, batches and flapping dependencies give more. It is
measured on the stable version before a trial begins and then kept, so that it does not depend on what it is applied
to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["MIN_BAD_SCRAPES", "dispersion"]

MIN_BAD_SCRAPES = 10
"""Scrapes with bad events below which clustering cannot be measured."""


def dispersion(bad_per_scrape: ArrayLike) -> float:
    """Variance over mean of the bad events per scrape.

    Parameters
    ----------
    bad_per_scrape
        Bad events of each scrape interval, shape (n,), >= 0.

    Returns
    -------
    float
        At least 1: errors are never taken to be more regular than chance. 1 when there is too little to measure.
    """
    bad = np.asarray(bad_per_scrape, dtype=np.float64)
    if np.count_nonzero(bad) < MIN_BAD_SCRAPES:
        return 1.0
    return max(1.0, float(bad.var(ddof=1) / bad.mean()))
