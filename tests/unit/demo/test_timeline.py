"""Figures of a rollback come from the route as it was seen and from the clients' answers."""

import pytest

from demo.kubectl import State
from demo.load import Answer, Window
from demo.timeline import BAD, rollback_figures, weight_left_s, weights


def route(**weight: int) -> dict[str, object]:
    backends = [{"name": name.replace("_", "-"), "port": 80, "weight": share} for name, share in weight.items()]
    return {"spec": {"rules": [{"backendRefs": backends}]}}


def test_the_largest_weight_of_several_rules_counts() -> None:
    rules = [route(digits_a=0, digits_b=100), route(digits_a=10, digits_b=90)]
    both = {"spec": {"rules": [rule["spec"]["rules"][0] for rule in rules]}}  # type: ignore[index] # built just above
    assert weights(both) == {"digits-a": 10, "digits-b": 100}
    assert weights(None) == {}


def test_weight_is_taken_away_when_it_is_0_or_the_backend_is_gone() -> None:
    before = [State(1.0, route(digits_a=100)), State(2.0, route(digits_a=90, digits_b=10))]
    assert weight_left_s([*before, State(3.0, route(digits_a=100, digits_b=0))], "digits-b") == 3.0
    assert weight_left_s([*before, State(4.0, route(digits_a=100))], "digits-b") == 4.0
    assert weight_left_s([*before, State(5.0, None)], "digits-b") == 5.0
    assert weight_left_s(before, "digits-b") is None


def test_a_backend_that_waits_at_weight_0_has_not_lost_it() -> None:
    states = [State(1.0, route(digits_a=100, digits_b=0)), State(2.0, route(digits_a=90, digits_b=10))]
    assert weight_left_s(states, "digits-b") is None


def window(*answers: Answer) -> Window:
    return Window(answers, outstanding=0)


def test_a_rollback_counts_from_the_first_bad_answer_that_a_client_got() -> None:
    stable = [Answer(10 + number / 10, 0.01, "2", 200, right=True) for number in range(100)]
    candidate = [
        Answer(12.0, 0.30, "3", 200, right=True),  # slow, which availability doesn't count
        Answer(13.0, 0.50, "3", 500, right=False),  # answered at 13.5: a client saw the next one fail before it
        Answer(13.1, 0.10, "3", 500, right=False),
        Answer(16.0, 0.10, "3", 500, right=False),
        Answer(17.0, 0.02, "3", 200, right=True),
    ]
    seen = window(*stable, *candidate)
    figures = rollback_figures(seen, "3", 15.2, BAD["availability"])
    assert figures is not None
    assert figures.seconds_to_weight_0 == pytest.approx(2.0)
    assert figures.seconds_to_last_bad == pytest.approx(2.9)
    assert figures.requests_to_weight_0 == 20
    assert (figures.bad_answers, figures.answers) == (3, 5)
    slow = rollback_figures(seen, "3", 15.2, BAD["latency"])
    assert slow is not None
    assert slow.bad_answers == 1
    assert slow.seconds_to_weight_0 == pytest.approx(2.9)


def test_a_version_that_nobody_saw_fail_has_no_figures() -> None:
    good = [Answer(float(number), 0.01, version, 200, right=True) for number, version in enumerate("2233")]
    assert rollback_figures(window(*good), "3", 9.0, BAD["availability"]) is None
    assert rollback_figures(window(*good), "4", 9.0, BAD["availability"]) is None


def test_a_lost_request_is_no_version_s_fault() -> None:
    lost = [Answer(float(number), 0.01, None, 503, right=False, problem="no upstream") for number in range(3)]
    seen = window(*lost, Answer(5.0, 0.01, "2", 200, right=True))
    assert len(seen.lost) == 3
    assert list(seen.versions()) == ["2"]
    assert not any(counts.failed + counts.slow for counts in seen.versions().values())
