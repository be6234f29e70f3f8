"""The one error of this package."""

from __future__ import annotations


class ClusterError(Exception):
    """What went wrong, in words for the person at the terminal.

    Parameters
    ----------
    what
        What failed and where.
    hint
        What to do about it; empty when the message says it.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what if not hint else f"{what}\n{hint}")
        self.what = what
        self.hint = hint
