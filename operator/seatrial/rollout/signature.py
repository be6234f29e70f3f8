"""What a model takes and gives, and whether a candidate can stand in for stable without its callers noticing.

The signature is that of the Open Inference Protocol (v2, "Model Metadata"): named tensors with a data type and a shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ANY = -1
"""A dimension of any length."""
MOST_TOLD = 5
"""Differences that a sentence names; the first ones show what is wrong."""
_LONGEST_NAME = 64


class NoSignatureError(ValueError):
    """The answer of a server says not, or not in the shape of the protocol, what its model takes and gives."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output: its data type (such as FP32), and its dimensions, ``ANY`` for any length."""

    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a model, by name."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


def signature_of(metadata: object) -> Signature:
    """Read the answer to ``GET /v2/models/{model}``.

    Raises
    ------
    NoSignatureError
        If it has not the shape that the protocol asks for, or names no inputs at all: nothing could be compared then.
    """
    if not isinstance(metadata, dict):
        raise NoSignatureError("the metadata of the model are no JSON object")
    inputs = _tensors(metadata.get("inputs"), "inputs")
    if not inputs:
        raise NoSignatureError("its metadata name no inputs: declare them, or set readiness.signature: ignore")
    return Signature(inputs=inputs, outputs=_tensors(metadata.get("outputs"), "outputs"))


def differences(stable: Signature, candidate: Signature) -> tuple[str, ...]:
    """Find why callers of stable could not call the candidate.

    What callers send must fit: the same inputs, each with the same data type and a shape that takes all that stable's
    takes. What they read must be there: each of stable's outputs, with the same data type and a shape that is no wider.
    More outputs do no harm.

    Returns
    -------
    tuple of str
        One sentence for each difference; empty when there is none.
    """
    return tuple(_inputs(stable.inputs, candidate.inputs)) + tuple(_outputs(stable.outputs, candidate.outputs))


def told(found: Sequence[str]) -> str:
    """Put differences into one sentence."""
    more = f", and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
    return "; ".join(found[:MOST_TOLD]) + more


def _inputs(stable: Mapping[str, Tensor], candidate: Mapping[str, Tensor]) -> Iterator[str]:
    for name in sorted(stable.keys() | candidate.keys()):
        if name not in candidate:
            yield f"it takes no input {name}, which callers send"
        elif name not in stable:
            yield f"it needs an input {name}, which callers don't send"
        elif candidate[name].datatype != stable[name].datatype:
            yield f"input {name} is {candidate[name].datatype} instead of {stable[name].datatype}"
        elif not _takes(candidate[name].shape, stable[name].shape):
            yield f"input {name} has shape {_written(candidate[name])} instead of {_written(stable[name])}"


def _outputs(stable: Mapping[str, Tensor], candidate: Mapping[str, Tensor]) -> Iterator[str]:
    for name, was in sorted(stable.items()):
        now = candidate.get(name)
        if now is None:
            yield f"it gives no output {name}, which callers read"
        elif now.datatype != was.datatype:
            yield f"output {name} is {now.datatype} instead of {was.datatype}"
        elif not _takes(was.shape, now.shape):
            yield f"output {name} has shape {_written(now)} instead of {_written(was)}"


def _takes(wide: tuple[int, ...], narrow: tuple[int, ...]) -> bool:
    """Tell whether every tensor of one shape is also one of the other."""
    return len(wide) == len(narrow) and all(w in {ANY, n} for w, n in zip(wide, narrow, strict=True))


def _written(tensor: Tensor) -> str:
    return "[" + ", ".join(str(length) for length in tensor.shape) + "]"


def _tensors(entries: Any, where: str) -> dict[str, Tensor]:  # noqa: ANN401 - JSON of a model server
    if not isinstance(entries or [], list):
        raise NoSignatureError(f"{where} of the model's metadata are no list")
    tensors = {}
    for entry in entries or []:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise NoSignatureError(f"an entry of {where} in the model's metadata has no name")
        shape = entry.get("shape")
        if not isinstance(shape, list) or not all(type(length) is int for length in shape):
            raise NoSignatureError(f"{where}: {entry['name'][:_LONGEST_NAME]} has no shape of whole numbers")
        name, datatype = (str(entry.get(key, ""))[:_LONGEST_NAME] for key in ("name", "datatype"))
        tensors[name] = Tensor(datatype, tuple(shape))
    return tensors
