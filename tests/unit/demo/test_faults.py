"""The demo's faults happen as often and as long as the environment says."""

import asyncio

import numpy as np
import pytest

from demo.model.faults import FaultInjector, FaultPlan, InjectedFaultError


def failures(plan: FaultPlan, seed: str, requests: int) -> list[bool]:
    async def ask() -> list[bool]:
        injector = FaultInjector(plan, seed)
        outcomes = []
        for _ in range(requests):
            try:
                await injector.apply()
            except InjectedFaultError:
                outcomes.append(True)
            else:
                outcomes.append(False)
        return outcomes

    return asyncio.run(ask())


def test_a_version_without_faults_answers_everything() -> None:
    assert not any(failures(FaultPlan.from_environment({}), "3 pod", 1000))


def test_the_share_of_failures_is_the_one_asked_for() -> None:
    plan = FaultPlan.from_environment({"FAULT_ERROR_RATIO": "0.05"})
    assert 420 <= sum(failures(plan, "3 pod", 10_000)) <= 580  # 500 within 3.7 standard deviations


def test_every_request_fails_at_a_ratio_of_one() -> None:
    assert all(failures(FaultPlan(error_ratio=1.0), "3 pod", 100))


def test_a_pod_repeats_its_failures_and_another_pod_has_its_own() -> None:
    plan = FaultPlan(error_ratio=0.2)
    assert failures(plan, "3 pod-a", 200) == failures(plan, "3 pod-a", 200)
    assert failures(plan, "3 pod-a", 200) != failures(plan, "3 pod-b", 200)


def test_late_breakage_begins_late() -> None:
    plan = FaultPlan.from_environment({"FAULT_ERROR_RATIO": "1", "FAULT_ERRORS_AFTER": "300"})
    assert failures(plan, "3 pod", 400) == [False] * 300 + [True] * 100


@pytest.mark.looptime
async def test_every_request_waits_for_the_delay() -> None:
    plan = FaultPlan.from_environment({"FAULT_DELAY_MS": "400"})
    started = asyncio.get_running_loop().time()
    await FaultInjector(plan, "4 pod").apply()
    assert asyncio.get_running_loop().time() - started == pytest.approx(0.4)


def test_a_sound_pipeline_changes_nothing() -> None:
    scans = np.full((2, 64), 5.0)
    assert FaultInjector(FaultPlan(), "3 pod").spoil(scans, [1]) is scans


def test_a_broken_pipeline_loses_and_shifts_the_pixels_it_is_told_to() -> None:
    injector = FaultInjector(FaultPlan.from_environment({"FAULT_NULL_RATIO": "0.2", "FAULT_SHIFT": "4"}), "3 pod")
    scans = np.full((1, 64), 14.0)
    spoilt = np.concatenate([injector.spoil(scans, [1, 3]) for _ in range(2000)])
    lost = np.isnan(spoilt)
    assert set(np.flatnonzero(lost.any(axis=0))) == {1, 3}
    assert 340 <= lost[:, 1].sum() <= 460  # 400 within 3.4 standard deviations
    assert set(spoilt[~lost[:, 1]][:, 1]) == {16}
    assert set(spoilt[:, 2]) == {14}
    assert set(scans[0]) == {14}


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"FAULT_ERRORS_AFTER": "-1"}, "give a number of requests, 0 or more"),
        ({"FAULT_ERROR_RATIO": "5"}, "share between 0 and 1"),
        ({"FAULT_ERROR_RATIO": "nan"}, "share between 0 and 1"),
        ({"FAULT_NULL_RATIO": "2"}, "FAULT_NULL_RATIO is 2.0; give a share between 0 and 1"),
        ({"FAULT_SHIFT": "40"}, "between -16 and 16"),
        ({"FAULT_DELAY_MS": "-1"}, "between 0 and 60000"),
        ({"FAULT_DELAY_MS": "900000"}, "between 0 and 60000"),
    ],
)
def test_impossible_faults_are_refused(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        FaultPlan.from_environment(environment)
