"""The loop of labels: one answer for all models, and only those with news are woken."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from seatrial.api.status import DEPLOYMENT_STATUS, dump
from seatrial.controller.cache import Cache, Key
from seatrial.controller.labels import LabelLooks
from seatrial.controller.telemetry import Telemetry
from seatrial.judge.labels import Bin
from seatrial.metrics.label_types import LabelCounts, LabelReadings
from tests.unit.rollout import builders as b

if TYPE_CHECKING:
    from collections.abc import Collection

    from seatrial.api.labels import LabelStatus
    from seatrial.api.status import ModelDeploymentStatus

KEY = Key("ml", "scorer")


@dataclass
class Joiner:
    """Labels of all versions, with the same squared error each."""

    score: float
    asked: list[set[str]] = field(default_factory=list)

    async def read_labels(self, versions: Collection[str], now_s: float) -> LabelReadings:
        self.asked.append(set(versions))
        counts = LabelCounts(2000, 1000, bins=(Bin(1000, 800, 800.0),), squared_errors=1000 * self.score)
        return LabelReadings(now_s, None, {(*KEY, version): counts for version in versions})


def looks(status: ModelDeploymentStatus, joiner: Joiner, found: dict[Key, LabelStatus], woken: list[Key]) -> LabelLooks:
    cache = Cache()
    meta = {"namespace": "ml", "name": "scorer", "uid": "scorer", "resourceVersion": "1"}
    cache.put("ModelSLO", {"metadata": meta, "spec": b.SLO})
    cache.put("ModelDeployment", {"metadata": meta, "spec": b.SPEC, "status": dump(DEPLOYMENT_STATUS, status)})
    return LabelLooks(cache, joiner, woken.append, Telemetry(), lambda: b.NOW, found)


async def test_the_candidate_is_judged_and_its_model_is_woken_once() -> None:
    joiner, found, woken = Joiner(0.4), {}, []  # type: tuple[Joiner, dict[Key, LabelStatus], list[Key]]
    await looks(b.watching(), joiner, found, woken).round()
    assert joiner.asked == [{b.A.hash, b.B.hash}]
    assert (found[KEY].verdict, found[KEY].action, woken) == ("Burning", "rollback", [KEY])
    await looks(replace(b.watching(), labels=found[KEY]), joiner, found, woken).round()
    assert woken == [KEY]


async def test_stable_is_judged_at_rest_and_nobody_before_there_is_a_version() -> None:
    joiner, found, woken = Joiner(0.1), {}, []  # type: tuple[Joiner, dict[Key, LabelStatus], list[Key]]
    await looks(b.pending(), joiner, found, woken).round()
    assert (joiner.asked, found) == ([], {})
    await looks(b.stable(), joiner, found, woken).round()
    assert (found[KEY].version, found[KEY].verdict) == (b.A.hash, "Healthy")
