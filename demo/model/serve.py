"""Start MLServer with the digit classifier.

A program instead of MLServer's two JSON files, because three things need code: the instrument, whose middleware names
version and request in every answer, a keep-alive that outlives the gateway's, and counters that exist before the first
request.
"""

import asyncio
import os

import uvloop  # type: ignore[import-not-found] # installed in the model's image only
from mlserver import MLServer, ModelSettings, Settings  # type: ignore[import-not-found] # see above
from mlserver.settings import ModelParameters  # type: ignore[import-not-found] # see above
from starlette_exporter import PrometheusMiddleware  # type: ignore[import-not-found] # MLServer's own dependency

from demo.model.runtime import DigitClassifier
from seatrial_instrument import Instrument, Profile
from seatrial_instrument.middleware import ASGIMiddleware
from seatrial_instrument.prediction_log import PredictionLog
from seatrial_instrument.request import VERSION_HEADER

MODEL = "digits"
QUALITIES = ("v1", "v2")
KEEP_ALIVE_S = 3600
INFERENCE = r"/v2/models/[^/]+/(versions/[^/]+/)?infer$"


def server_settings(headers: list[tuple[str, str]]) -> Settings:
    """Describe a process that serves on port 8080, with headers of its own in every answer; metrics on port 8082."""
    settings = Settings(debug=False, parallel_workers=0, gzip_enabled=False)
    settings._custom_rest_server_settings = {  # noqa: SLF001 # MLServer has no public name for uvicorn's settings
        "headers": headers,
        # uvicorn hangs up after 5 idle seconds; a gateway that reuses the connection at that moment answers 503
        "timeout_keep_alive": KEEP_ALIVE_S,
    }
    return settings


def create_counters(settings: Settings) -> None:
    """Let the request counters exist at 0, so that the first error is an increase and not a new series."""
    metrics = PrometheusMiddleware(app=None, app_name="mlserver", prefix=settings.metrics_rest_server_prefix)
    for status in (200, 500):
        labels = ("POST", "/v2/models/{model_name}/infer", status, "mlserver")
        metrics.request_count.labels(*labels)
        metrics.request_time.labels(*labels)


async def main() -> None:
    """Serve until SIGTERM.

    Raises
    ------
    SystemExit
        MODEL_QUALITY names no model.
    """
    quality = os.environ.get("MODEL_QUALITY", "v1")
    if quality not in QUALITIES:
        raise SystemExit(f"MODEL_QUALITY is {quality!r}; this image holds {' and '.join(QUALITIES)}")
    version = os.environ.get("MODEL_VERSION", "0")
    folder = os.environ.get("MODEL_FOLDER", "/models")
    instrument = None
    if os.environ.get("MODEL_INSTRUMENT", "on") == "on":
        joiner = os.environ.get("JOINER_URL")
        log = PredictionLog(joiner) if joiner else None
        instrument = Instrument(Profile.load(f"{folder}/{quality}.profile.json"), MODEL, log=log)
    settings = server_settings([] if instrument else [(VERSION_HEADER, version)])
    create_counters(settings)
    extra = {"instrument": instrument}
    parameters = ModelParameters(uri=f"{folder}/{quality}.joblib", version=version, extra=extra)
    model = ModelSettings(name=MODEL, implementation=DigitClassifier, parameters=parameters)
    server = MLServer(settings)
    if instrument:
        rest = server._rest_server  # noqa: SLF001 # MLServer has no public place for middleware
        rest._app = ASGIMiddleware(rest._app, instrument, version=version, paths=INFERENCE)  # noqa: SLF001 # see above
    await server.start([model])


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
