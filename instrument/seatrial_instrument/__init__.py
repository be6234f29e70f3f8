"""Counters and histograms that say what a model server sees and answers.

The series are described in the metric contract of Seatrial (`docs/guide/metrics-contract.md`).
"""

from seatrial_instrument import profile
from seatrial_instrument.instrument import Instrument
from seatrial_instrument.options import Options
from seatrial_instrument.reference import Categorical, Numeric, Profile
from seatrial_instrument.request import ErrorType, Kind, Request, current

__all__ = [
    "Categorical",
    "ErrorType",
    "Instrument",
    "Kind",
    "Numeric",
    "Options",
    "Profile",
    "Request",
    "current",
    "profile",
]
