"""The digit classifier as an MLServer runtime."""

import os
from http import HTTPStatus
from pathlib import Path

import joblib  # type: ignore[import-not-found] # installed in the model's image only
import numpy as np
from mlserver import MLModel  # type: ignore[import-not-found] # see above
from mlserver.codecs import NumpyCodec  # type: ignore[import-not-found] # see above
from mlserver.errors import MLServerError  # type: ignore[import-not-found] # see above
from mlserver.types import InferenceRequest, InferenceResponse  # type: ignore[import-not-found] # see above

from demo.model.faults import FaultInjector, FaultPlan, InjectedFaultError

PIXELS = 64
WARM_UP_PREDICTIONS = 20


class DigitClassifier(MLModel):  # type: ignore[misc] # the base class is known in the model's image only
    """Answers which digit an 8 x 8 scan shows."""

    async def load(self) -> bool:
        """Load the chosen quality and predict a few times, so that the first client does not pay for cold code."""
        self._classifier = joblib.load(Path(self.settings.parameters.uri))
        pod = os.environ.get("HOSTNAME", "")
        self._faults = FaultInjector(FaultPlan.from_environment(os.environ), seed=f"{self.version} {pod}")
        for _ in range(WARM_UP_PREDICTIONS):
            self._classifier.predict(np.zeros((1, PIXELS)))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Classify scans.

        Parameters
        ----------
        payload
            One input tensor of shape (scans, 64), brightness 0..16.

        Raises
        ------
        MLServerError
            400 when the input has another shape, 500 when this request is to fail by plan.
        """
        try:
            await self._faults.apply()
        except InjectedFaultError as fault:
            raise MLServerError(str(fault), HTTPStatus.INTERNAL_SERVER_ERROR) from fault
        scans = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        if scans.ndim != 2 or scans.shape[1] != PIXELS:  # noqa: PLR2004 # a table has two dimensions
            raise MLServerError(f"the input has shape {scans.shape}; send (scans, {PIXELS})", HTTPStatus.BAD_REQUEST)
        digits = NumpyCodec.encode_output("digit", self._classifier.predict(scans))
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[digits])
