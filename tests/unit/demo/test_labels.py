"""The demo's late labels reach a real joiner, late, and none is lost while it is away."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from demo.labels import LateLabels
from demo.load import Sample
from seatrial_instrument.joiner import Joiner, Prediction
from seatrial_instrument.joiner_server import JoinerServer
from seatrial_instrument.scores import Truth

DELAY_S = 0.5


@pytest.fixture
def joiner() -> Iterator[Joiner]:
    joining = Joiner(":memory:", "digits", Truth(classes=("3", "7")), maturity_s=1.0, keep_s=60.0)
    yield joining
    joining.close()


def served(joiner: Joiner, port: int) -> JoinerServer:
    server = JoinerServer(("127.0.0.1", port), joiner)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def counted(joiner: Joiner) -> dict[tuple[str, str, str], float]:
    metrics = (metric for metric in joiner.collect() if metric.name == "ml_model_labeled_predictions")
    samples = [sample for metric in metrics for sample in metric.samples if sample.value]
    return {(s.labels["predicted"], s.labels["actual"], s.labels["result"]): s.value for s in samples}


async def test_labels_come_late_and_wait_for_a_joiner_that_is_away(joiner: Joiner, unused_tcp_port: int) -> None:
    began_s = time.time()
    joiner.tell([Prediction(name, "digits", "aaaaaaaaaa", began_s, 7) for name in ("right", "wrong")])
    async with LateLabels(f"http://127.0.0.1:{unused_tcp_port}/", DELAY_S) as labels:
        labels.learn("right", Sample(b"", 7))
        labels.learn("wrong", Sample(b"", 3))
        await asyncio.sleep(1.5)
        assert (labels.told, labels.problem) == (0, "the joiner can't be reached")
        server = served(joiner, unused_tcp_port)
        for _ in range(100):
            if labels.told:
                break
            await asyncio.sleep(0.05)
        assert (labels.told, labels.problem) == (2, "")
    server.shutdown()
    server.server_close()
    joiner.tick(began_s + 2)
    assert counted(joiner) == {("7", "7", "right"): 1, ("7", "3", "wrong"): 1}


async def test_a_refusal_is_kept_in_the_joiners_words(joiner: Joiner, unused_tcp_port: int) -> None:
    server = served(joiner, unused_tcp_port)
    server.token = "a token that the demo does not have"  # noqa: S105 # no secret
    async with LateLabels(f"http://127.0.0.1:{unused_tcp_port}", 0.0) as labels:
        labels.learn("one", Sample(b"", 7))
        await asyncio.sleep(1.5)
        assert labels.told == 0
        assert labels.problem.startswith("the joiner's answer is 401: send the token")
    server.shutdown()
    server.server_close()
