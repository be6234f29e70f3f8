"""Start MLServer with the digit classifier.

A program instead of MLServer's two JSON files, because three things need code: the `x-model-version` header on every
answer (errors too), a keep-alive that outlives the gateway's, and counters that exist before the first request.
"""

import asyncio
import os

import uvloop  # type: ignore[import-not-found] # installed in the model's image only
from mlserver import MLServer, ModelSettings, Settings  # type: ignore[import-not-found] # see above
from mlserver.settings import ModelParameters  # type: ignore[import-not-found] # see above
from starlette_exporter import PrometheusMiddleware  # type: ignore[import-not-found] # MLServer's own dependency

from demo.model.runtime import DigitClassifier

MODEL = "digits"
QUALITIES = ("v1", "v2")
KEEP_ALIVE_S = 3600


def server_settings(version: str) -> Settings:
    """Describe a process that serves one version on port 8080 and its metrics on port 8082."""
    settings = Settings(debug=False, parallel_workers=0, gzip_enabled=False)
    settings._custom_rest_server_settings = {  # noqa: SLF001 # MLServer has no public name for uvicorn's settings
        "headers": [("x-model-version", version)],
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
    settings = server_settings(version)
    create_counters(settings)
    folder = os.environ.get("MODEL_FOLDER", "/models")
    parameters = ModelParameters(uri=f"{folder}/{quality}.joblib", version=version)
    model = ModelSettings(name=MODEL, implementation=DigitClassifier, parameters=parameters)
    await MLServer(settings).start([model])


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
