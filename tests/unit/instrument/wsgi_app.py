"""A small WSGI model server that is instrumented; the prefork test runs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest

from seatrial_instrument import Instrument, Profile
from seatrial_instrument.middleware import WSGIMiddleware

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

registry = CollectorRegistry()
instrument = Instrument(Profile.load(os.environ["PROFILE"]), "fraud", registry=registry)


def model(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    if environ["PATH_INFO"] == "/metrics":
        return [generate_latest(registry)]
    instrument.observe({"age": np.array([30.0, 50.0])}, [0.4, 0.6])
    return [str(os.getpid()).encode()]


app = WSGIMiddleware(model, instrument, version="1")
