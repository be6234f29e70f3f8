"""Plain selectors: what is understood, how it matches, and how everything else is refused."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from seatrial.metrics.counting import Weights, counting
from seatrial.metrics.selector import Matcher, Selector, parse
from seatrial.metrics.templates import servers
from seatrial.metrics.types import Sli


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ("m{$selector}", ()),
        (' m { a = "b" , $selector , } ', (Matcher("a", "=", "b"),)),
        ("m{$selector,a!='b'}", (Matcher("a", "!=", "b"),)),
        (r'm{a=~"x\\.y\"z",$selector}', (Matcher("a", "=~", r'x\.y"z'),)),
        ("m{a!~`\\d+`,$selector}", (Matcher("a", "!~", "\\d+"),)),
        ('m{a="",b="}",$selector}', (Matcher("a", "=", ""), Matcher("b", "=", "}"))),
    ],
)
def test_plain_selectors_are_understood(text: str, matchers: tuple[Matcher, ...]) -> None:
    assert parse(text) == Selector("m", matchers)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must begin with the name of a counter"),
        ("rate(m{$selector}[5m])", "calls rate()"),
        ("sum by (x) (m{$selector})", "must select by labels in braces"),
        ("m", "must select by labels in braces"),
        ("m{$selector}[5m]", "goes on after its braces with '[5m]'"),
        ("m{$selector} offset 5m", "goes on after its braces with 'offset 5m'"),
        ("m{$selector} / n{$selector}", "goes on after its braces"),
        ('m{a="b"}', "must hold $selector exactly once"),
        ("m{$selector,$selector}", "must hold $selector exactly once"),
        ("m{a=b,$selector}", "expected a condition"),
        ('m{a="b" $selector}', "expected a comma or a closing brace"),
        ("m{$selector", "expected a comma or a closing brace"),
        ('m{a="\\d",$selector}', "write \\d as \\\\d"),
        ('m{a=~"(",$selector}', "is no regular expression"),
        ('m{a=~"a(?=b)",$selector}', "is no regular expression"),
        ("m_bucket{$selector}", "must name one bucket"),
        ('m_bucket{le="1",le="2",$selector}', "must name one bucket"),
        ('m_bucket{le="fast",$selector}', "is no number"),
        ('m_bucket{le=~"1|2",$selector}', "le can only be compared with ="),
    ],
)
def test_everything_else_is_refused_with_a_sentence(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse(text)


@pytest.mark.parametrize(
    ("condition", "value", "accepted"),
    [
        ('a="b"', "b", True),
        ('a="b"', "bb", False),
        ('a!="b"', "", True),
        ('a=""', "", True),
        ('a=~"5.."', "503", True),
        ('a=~"5.."', "5031", False),
        ('a=~"5.."', "1503", False),
        ('a=~"a|b"', "b", True),
        ('a=~"a.c"', "a\nc", True),
        ('a=~".*"', "", True),
        ('a!~"5.."', "", True),
        ('a!~"5.."', "500", False),
        # Nested repetitions, which take a backtracking engine for ever.
        ('a=~"(x+x+)+y"', "x" * 5000, False),
    ],
)
def test_labels_match_as_in_prometheus(condition: str, value: str, *, accepted: bool) -> None:
    labels = {"__name__": "m", "a": value} if value else {"__name__": "m"}
    assert parse(f"m{{{condition},$selector}}").accepts(labels) is accepted
    assert not parse(f"n{{{condition},$selector}}").accepts(labels)


@pytest.mark.parametrize("spelling", ["1", "1.0", "1e+00", "1.000"])
def test_edges_are_numbers(spelling: str) -> None:
    selector = parse('m_bucket{le="1",$selector}')
    assert selector.edge == 1
    assert selector.accepts({"__name__": "m_bucket", "le": spelling})
    assert not selector.accepts({"__name__": "m_bucket", "le": "1.1"})
    assert not selector.accepts({"__name__": "m_bucket", "le": "wide"})
    assert not selector.accepts({"__name__": "m_bucket"})


def test_own_counters_say_what_each_series_adds() -> None:
    how = counting(Sli("own", good='m{code!~"5..",$selector}', total="m{$selector}"))
    assert how.weights({"__name__": "m", "code": "200"}) == Weights(1, 0)
    assert how.weights({"__name__": "m", "code": "500"}) == Weights(1, 1)
    assert how.weights({"__name__": "n", "code": "500"}) is None


@pytest.mark.parametrize(
    ("sli", "why"),
    [
        (Sli("x"), "objective x: name a template, or give both of the selectors good and total"),
        (Sli("x", good="m{$selector}"), "objective x: name a template, or give both of the selectors good and total"),
        (
            Sli("x", template="http-latency"),
            "objective x: the template http-latency needs a threshold, such as 250ms",
        ),
        (
            Sli("x", template="http-latency", server="abacus", threshold=Decimal(1)),
            f"no server named 'abacus' is known; the known ones are {', '.join(servers())}",
        ),
        (
            Sli("x", template="accuracy", server="mlserver"),
            "mlserver has no template 'accuracy'; it offers http-availability, http-latency",
        ),
        (
            Sli("x", template="label-accuracy", server="mlserver"),
            (
                "mlserver has no template 'label-accuracy'; it offers http-availability, http-latency; "
                "label-accuracy is offered by ml-model"
            ),
        ),
        (Sli("x", template="check"), "objective x: the template check needs where: {check: …}"),
        (
            # A value alone may be one of several slices: a region and a tenant may both be called eu.
            Sli("x", template="slice-accuracy", where=(("slice", "eu"),)),
            "objective x: the template slice-accuracy needs where: {slice_name: …, slice: …}",
        ),
        (
            Sli("x", template="label-absolute-error"),
            "objective x: the template label-absolute-error needs a threshold, such as 0.5",
        ),
    ],
)
def test_an_sli_that_can_not_be_counted_is_refused(sli: Sli, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        counting(sli)
