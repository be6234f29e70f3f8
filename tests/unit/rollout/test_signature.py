"""Whether callers of one model can call another one."""

from __future__ import annotations

from typing import Any

import pytest

from seatrial.rollout.signature import MOST_TOLD, NoSignatureError, Signature, Tensor, differences, signature_of, told


def tensor(name: str = "x", datatype: str = "FP32", shape: tuple[int, ...] = (-1, 4)) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def metadata(inputs: list[Any] | None = None, outputs: list[Any] | None = None) -> dict[str, Any]:
    """Write what a server says; parts left out are as stable's."""
    return {
        "name": "scorer",
        "platform": "python",
        "inputs": [tensor()] if inputs is None else inputs,
        "outputs": [tensor("y", "INT64", (-1,))] if outputs is None else outputs,
    }


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "the same": (metadata(), ""),
    "one more output": (metadata(outputs=[tensor("y", "INT64", (-1,)), tensor("p")]), ""),
    "a new input": (metadata([tensor(), tensor("z")]), "it needs an input z, which callers don't send"),
    "an input less": (
        metadata([tensor("z")]),
        "it takes no input x, which callers send; it needs an input z, which callers don't send",
    ),
    "another type": (metadata([tensor(datatype="FP16")]), "input x is FP16 instead of FP32"),
    "another width": (metadata([tensor(shape=(-1, 5))]), "input x has shape [-1, 5] instead of [-1, 4]"),
    "a narrower batch": (metadata([tensor(shape=(8, 4))]), "input x has shape [8, 4] instead of [-1, 4]"),
    "a wider input": (metadata([tensor(shape=(-1, -1))]), ""),
    "another rank": (metadata([tensor(shape=(4,))]), "input x has shape [4] instead of [-1, 4]"),
    "no output": (metadata(outputs=[]), "it gives no output y, which callers read"),
    "another output type": (metadata(outputs=[tensor("y", "FP32", (-1,))]), "output y is FP32 instead of INT64"),
    "a wider output": (
        metadata(outputs=[tensor("y", "INT64", (-1, -1))]),
        "output y has shape [-1, -1] instead of [-1]",
    ),
    "a narrower output": (metadata(outputs=[tensor("y", "INT64", (1,))]), ""),
}


@pytest.mark.parametrize("case", CASES)
def test_what_callers_notice_is_a_difference(case: str) -> None:
    candidate, expected = CASES[case]
    assert told(differences(signature_of(metadata()), signature_of(candidate))) == expected


def test_a_sentence_names_a_few_differences_and_counts_the_others() -> None:
    many = [tensor(f"f{number:02}") for number in range(9)]
    sentence = told(differences(signature_of(metadata()), signature_of(metadata([tensor(), *many]))))
    assert sentence.count("it needs an input") == MOST_TOLD
    assert sentence.endswith(", and 4 more")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ([], "no JSON object"),
        ({"name": "scorer"}, "name no inputs"),
        (metadata([]), "name no inputs"),
        (metadata({"x": "FP32"}), "inputs of the model's metadata are no list"),  # type: ignore[arg-type] # just that
        (metadata([{"datatype": "FP32"}]), "an entry of inputs in the model's metadata has no name"),
        (metadata([{"name": "x", "shape": ["n"]}]), "inputs: x has no shape of whole numbers"),
        (metadata(outputs=[{"name": "y", "shape": [True]}]), "outputs: y has no shape of whole numbers"),
    ],
)
def test_what_is_no_signature_is_not_guessed(answer: Any, sentence: str) -> None:
    with pytest.raises(NoSignatureError, match=sentence):
        signature_of(answer)


def test_names_of_any_length_stay_short_in_a_sentence() -> None:
    found = signature_of(metadata([tensor("n" * 5000)]))
    assert found.inputs == {"n" * 64: Tensor("FP32", (-1, 4))}
    assert isinstance(found, Signature)
