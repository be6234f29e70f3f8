"""The table of blame, row by row (who is at fault, and what may be done)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.judge.drift.blame import TABLE, Dealing, Remedy, Signals, blame
from seatrial.judge.drift.compare import Level

ACT, WARN, UNSURE = Level.ACT, Level.WARN, Level.INCONCLUSIVE
RANDOM, CHOSEN = Dealing.RANDOM, Dealing.CHOSEN

CASES = [
    (Signals(RANDOM, apart=ACT), "FeaturesApart", Remedy.ROLL_BACK),
    (Signals(RANDOM, apart=ACT, candidate_away=ACT), "FeaturesApart", Remedy.ROLL_BACK),
    (Signals(CHOSEN, apart=ACT), "PopulationsDiffer", Remedy.HOLD),
    (Signals(RANDOM, candidate_faulty=ACT), "ValuesMissing", Remedy.ROLL_BACK),
    (Signals(CHOSEN, candidate_faulty=ACT, apart=ACT), "ValuesMissing", Remedy.ROLL_BACK),
    (Signals(RANDOM, stable_faulty=ACT), "SourceBroken", Remedy.NOTIFY),
    (Signals(RANDOM, candidate_away=ACT, stable_away=ACT), "WorldChanged", Remedy.NOTIFY),
    (Signals(RANDOM, candidate_away=UNSURE, stable_away=ACT), "WorldChanged", Remedy.NOTIFY),
    (Signals(None, stable_away=ACT), "WorldChanged", Remedy.NOTIFY),
    (Signals(None, predictions=ACT), "PredictionsMoved", Remedy.NOTIFY),
    (Signals(RANDOM, stable_away=ACT), "StableOutdated", Remedy.NOTIFY),
    (Signals(RANDOM, candidate_away=ACT), "TrainedElsewhere", Remedy.NOTIFY),
    (Signals(RANDOM, apart=UNSURE, candidate_away=ACT), "CandidateAway", Remedy.NOTIFY),
    (Signals(RANDOM, apart=WARN, candidate_away=ACT), "CandidateAway", Remedy.NOTIFY),
    (Signals(RANDOM, apart=WARN), "DriftWarning", Remedy.NOTIFY),
    (Signals(RANDOM, predictions=WARN), "DriftWarning", Remedy.NOTIFY),
]


@pytest.mark.parametrize(("signals", "name", "remedy"), CASES)
def test_who_is_blamed(signals: Signals, name: str, remedy: Remedy) -> None:
    finding = blame(signals)
    assert finding
    assert (finding.row.name, finding.remedy) == (name, remedy)


def test_every_row_has_its_case() -> None:
    predictions = blame(Signals(RANDOM, predictions=ACT))
    assert predictions
    assert {name for _, name, _ in CASES} | {predictions.row.name} == {row.name for row in TABLE}


def test_predictions_of_a_new_model_are_meant_to_differ_unless_somebody_says_otherwise() -> None:
    signals = Signals(RANDOM, predictions=ACT)
    assert [blame(signals).remedy, blame(signals, predictions=Remedy.ROLL_BACK).remedy] == [  # type: ignore[union-attr]  # a row fits
        Remedy.NOTIFY,
        Remedy.ROLL_BACK,
    ]


LEVELS = st.sampled_from(list(Level))


@given(LEVELS, LEVELS, LEVELS, st.sampled_from([*Dealing, None]))
def test_what_both_versions_see_never_rolls_back(
    candidate: Level, stable: Level, faulty: Level, dealing: Dealing | None
) -> None:
    finding = blame(Signals(dealing, candidate_away=candidate, stable_away=stable, stable_faulty=faulty))
    assert finding is None or finding.remedy <= Remedy.NOTIFY


@given(st.builds(Signals, st.sampled_from([*Dealing, None]), *[LEVELS] * 6), *[st.sampled_from(list(Remedy))] * 2)
def test_nothing_is_done_beyond_the_declared_action(signals: Signals, features: Remedy, predictions: Remedy) -> None:
    finding = blame(signals, features=features, predictions=predictions)
    assert finding is None or finding.remedy <= max(features, predictions)


@given(st.builds(Signals, st.sampled_from(list(Dealing)), *[st.sampled_from([Level.CLEAR, UNSURE])] * 6))
def test_without_certainty_nobody_is_blamed(signals: Signals) -> None:
    assert blame(signals) is None
