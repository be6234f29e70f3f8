"""Seatrial: rollouts of machine-learning models that answer to an error budget."""

__version__ = "0.1.0"
