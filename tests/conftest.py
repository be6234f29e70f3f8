"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A shared or slow machine is no fault of the code: properties are about results, and `make bench` measures time.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
