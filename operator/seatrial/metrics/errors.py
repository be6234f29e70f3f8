"""What can go wrong when Prometheus is asked. The texts are sentences for people and hold no secrets."""

from __future__ import annotations


class Unavailable(Exception):  # noqa: N818 (named by what users see: the verdict Unavailable)
    """Prometheus can't be read now; ask again later."""


class TooLarge(Unavailable):
    """The answer is larger than the operator is willing to hold; ask for less."""


class BadQuery(Exception):  # noqa: N818 (the name says it)
    """Prometheus refuses the query itself; asking again doesn't help."""
