"""The digit classifier as an MLServer runtime."""

from __future__ import annotations

import os
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import joblib  # type: ignore[import-not-found] # installed in the model's image only
import numpy as np
from mlserver import MLModel  # type: ignore[import-not-found] # see above
from mlserver.codecs import NumpyCodec  # type: ignore[import-not-found] # see above
from mlserver.errors import MLServerError  # type: ignore[import-not-found] # see above
from mlserver.types import InferenceRequest, InferenceResponse  # type: ignore[import-not-found] # see above

from demo.model.faults import FaultInjector, FaultPlan, InjectedFaultError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seatrial_instrument import Instrument

PIXELS = 64
WARM_UP_PREDICTIONS = 20


class DigitClassifier(MLModel):  # type: ignore[misc] # the base class is known in the model's image only
    """Answers which digit an 8 x 8 scan shows."""

    async def load(self) -> bool:
        """Load the chosen quality and predict a few times, so that the first client does not pay for cold code."""
        self._classifier = joblib.load(Path(self.settings.parameters.uri))
        pod = os.environ.get("HOSTNAME", "")
        self._faults = FaultInjector(FaultPlan.from_environment(os.environ), seed=f"{self.version} {pod}")
        instrument: Instrument | None = self.settings.parameters.extra["instrument"]
        self._instrument = instrument
        watched = instrument.profile.features if instrument else ()
        self._watched = [instrument.profile.columns.index(feature.name) for feature in watched] if instrument else []
        for _ in range(WARM_UP_PREDICTIONS):
            self._classifier.predict_proba(np.zeros((1, PIXELS)))
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
        digits = NumpyCodec.encode_output("digit", self._classify(self._faults.spoil(scans, self._watched)))
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[digits])

    def _classify(self, scans: NDArray[np.float64]) -> NDArray[np.int64]:
        lost = np.isnan(scans)
        shares = self._classifier.predict_proba(np.where(lost, 0, scans))
        digits: NDArray[np.int64] = self._classifier.classes_[shares.argmax(axis=1)]
        if self._instrument:
            # The features as they came, before the lost ones were replaced by darkness.
            self._instrument.observe(scans, digits, confidence=shares, defaulted=lost)
        return digits
