"""The demo's faults happen as often and as long as the environment says."""

import asyncio

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


@pytest.mark.looptime
async def test_every_request_waits_for_the_delay() -> None:
    plan = FaultPlan.from_environment({"FAULT_DELAY_MS": "400"})
    started = asyncio.get_running_loop().time()
    await FaultInjector(plan, "4 pod").apply()
    assert asyncio.get_running_loop().time() - started == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"FAULT_ERROR_RATIO": "5"}, "share between 0 and 1"),
        ({"FAULT_ERROR_RATIO": "nan"}, "share between 0 and 1"),
        ({"FAULT_DELAY_MS": "-1"}, "between 0 and 60000"),
        ({"FAULT_DELAY_MS": "900000"}, "between 0 and 60000"),
    ],
)
def test_impossible_faults_are_refused(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        FaultPlan.from_environment(environment)
