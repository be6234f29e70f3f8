"""Series selectors of users and templates, matched here so that one query serves all of them.

Only plain selectors are understood: ``name{label="value",...}``. They are matched with RE2, the regular expressions of
Prometheus, anchored at both ends. A label that is absent has the empty value, as in PromQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER: Final = "$selector"
EDGE: Final = "le"

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OPERATOR = re.compile(r"=~|!~|!=|=")
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\'|`([^`]*)`')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


class _Pattern(Protocol):
    def fullmatch(self, text: str) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label: ``operator`` is one of ``=``, ``!=``, ``=~``, ``!~``."""

    label: str
    operator: str
    value: str

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a series with these labels meets the condition."""
        actual = labels.get(self.label, "")
        match self.operator:
            case "=" if self.label == EDGE:
                return edge_value(actual) == float(self.value)
            case "=":
                return actual == self.value
            case "!=":
                return actual != self.value
            case "=~":
                return _pattern(self.value).fullmatch(actual) is not None
            case _:
                return _pattern(self.value).fullmatch(actual) is None


@dataclass(frozen=True, slots=True)
class Selector:
    """All series of one metric that meet every condition."""

    metric: str
    matchers: tuple[Matcher, ...]

    @property
    def edge(self) -> float | None:
        """Upper edge of the histogram bucket that is selected, in the metric's own unit; None when it is no bucket."""
        return next((float(m.value) for m in self.matchers if m.label == EDGE), None)

    def accepts(self, labels: Mapping[str, str]) -> bool:
        """Tell whether this is one of the selected series; ``labels`` hold ``__name__``."""
        return labels["__name__"] == self.metric and all(m.accepts(labels) for m in self.matchers)


def parse(text: str) -> Selector:
    """Read a plain series selector with ``$selector`` inside its braces.

    Raises
    ------
    ValueError
        With one sentence for the user when the text is anything else than a plain selector of counters.
    """
    source = text.strip()
    name = _NAME.match(source)
    if name is None:
        raise ValueError(f"{_quoted(text)} must begin with the name of a counter, such as app_requests_total")
    rest = source[name.end() :].lstrip()
    if rest.startswith("("):
        raise ValueError(
            f"{_quoted(text)} calls {name.group()}(): give the plain selector of the counter itself, "
            f"without functions; Seatrial counts its increase exactly"
        )
    if not rest.startswith("{"):
        raise ValueError(f"{_quoted(text)} must select by labels in braces, with {PLACEHOLDER} among them")
    matchers, rest = _conditions(rest[1:], text)
    if rest:
        raise ValueError(
            f"{_quoted(text)} goes on after its braces with {rest[:20]!r}: give a plain selector, "
            f"without a range, an offset or an operator"
        )
    _check_edges(name.group(), matchers, text)
    return Selector(name.group(), matchers)


def edge_value(text: str) -> float | None:
    """Read an ``le`` label: servers write 1, 1.0 or 1e+00 for the same edge; None when it is no number."""
    try:
        return float(text)
    except ValueError:
        return None


def _conditions(rest: str, text: str) -> tuple[tuple[Matcher, ...], str]:
    matchers: list[Matcher] = []
    placeholders = 0
    rest = rest.lstrip()
    while not rest.startswith("}"):
        if rest.startswith(PLACEHOLDER):
            placeholders += 1
            rest = rest[len(PLACEHOLDER) :].lstrip()
        else:
            matcher, rest = _condition(rest, text)
            matchers.append(matcher)
        if rest.startswith(","):
            rest = rest[1:].lstrip()
        elif not rest.startswith("}"):
            raise ValueError(f"{_quoted(text)}: expected a comma or a closing brace before {rest[:20]!r}")
    if placeholders != 1:
        raise ValueError(f"{_quoted(text)} must hold {PLACEHOLDER} exactly once inside its braces")
    return tuple(matchers), rest[1:].lstrip()


def _condition(rest: str, text: str) -> tuple[Matcher, str]:
    label = _LABEL.match(rest)
    operator = _OPERATOR.match(rest, len(rest) - len(rest[label.end() :].lstrip())) if label else None
    string = _STRING.match(rest, len(rest) - len(rest[operator.end() :].lstrip())) if operator else None
    if label is None or operator is None or string is None:
        raise ValueError(f'{_quoted(text)}: expected a condition such as code="500" before {rest[:20]!r}')
    raw = string.group(3)
    value = raw if raw is not None else _unescape(string.group(1) or string.group(2) or "", text)
    matcher = Matcher(label.group(), operator.group(), value)
    if matcher.operator in {"=~", "!~"}:
        _check_pattern(value, text)
    return matcher, rest[string.end() :].lstrip()


def _check_edges(metric: str, matchers: tuple[Matcher, ...], text: str) -> None:
    edges = [m for m in matchers if m.label == EDGE]
    if metric.endswith("_bucket") and len(edges) != 1:
        raise ValueError(f'{_quoted(text)} must name one bucket of the histogram, such as le="0.25"')
    for edge in edges:
        if edge.operator != "=":
            raise ValueError(f"{_quoted(text)}: le can only be compared with =")
        if edge_value(edge.value) is None:
            raise ValueError(f"{_quoted(text)}: le={edge.value!r} is no number")


def _check_pattern(pattern: str, text: str) -> None:
    try:
        _pattern(pattern)
    except re2.error:
        raise ValueError(f"{_quoted(text)}: {pattern!r} is no regular expression that Prometheus knows") from None


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> _Pattern:
    options = re2.Options()
    options.log_errors = False
    compiled: _Pattern = re2.compile(f"(?s:{pattern})", options)
    return compiled


def _unescape(value: str, text: str) -> str:
    unknown = next((e.group() for e in _ESCAPE.finditer(value) if e.group(1) not in _ESCAPES), None)
    if unknown:
        raise ValueError(f"{_quoted(text)}: write {unknown} as \\{unknown}, as in every PromQL string")
    return _ESCAPE.sub(lambda escape: _ESCAPES[escape.group(1)], value)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 120 else f"{text[:120]}…")  # noqa: PLR2004 (as much as fits a condition's message)
