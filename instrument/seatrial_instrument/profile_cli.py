"""`seatrial-profile`: make and show reference profiles."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from seatrial_instrument import readers
from seatrial_instrument.profile import DEFAULT_LIMITS, Bounds, Limits, from_dataframe
from seatrial_instrument.reference import OTHER, Distribution, Numeric, Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

_BAR = 40
_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)?"
_RANGE = re.compile(f"(.+)={_NUMBER}:{_NUMBER}", re.IGNORECASE | re.ASCII)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 when something is wrong with what was given."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "build":
            _build(options)
        else:
            _show(Profile.load(options.profile))
    except (OSError, ValueError) as error:
        print(f"seatrial-profile: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seatrial-profile",
        description="Reference profiles: how features and predictions were distributed in training.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="count training data (.csv or .parquet) into an immutable profile")
    build.add_argument("data", type=Path, help="training data; a parquet file needs the extra [parquet]")
    build.add_argument(
        "-o", "--output", type=Path, required=True, help="new file; an existing one is never overwritten"
    )
    build.add_argument("--features", type=_names, help="inputs to watch, the most important first (default: all)")
    build.add_argument(
        "--ignore", type=_names, default=[], help="columns that are no inputs, such as an id or the label"
    )
    build.add_argument(
        "--predictions", type=_names, default=[], help="columns with the model's answers on held-out rows"
    )
    build.add_argument("--categorical", type=_names, default=[], help="columns whose numbers are names")
    build.add_argument("--bounds", type=_bounds, action="append", default=[], metavar="COLUMN=LOW:HIGH",
                       help="valid range; leave a side out to leave it open")  # fmt: skip
    build.add_argument("--edges-from", type=Path, help="profile of the version before, whose edges are kept")
    build.add_argument("--max-features", type=int, default=DEFAULT_LIMITS.features)
    build.add_argument("--max-categories", type=int, default=DEFAULT_LIMITS.categories)
    show = commands.add_parser("show", help="print a profile")
    show.add_argument("profile", type=Path)
    return parser


def _build(options: argparse.Namespace) -> None:
    table = {name: column for name, column in readers.read(options.data).items() if name not in options.ignore}
    profile = from_dataframe(
        table,
        features=options.features,
        predictions=options.predictions,
        categorical=options.categorical,
        bounds=dict(options.bounds),
        edges_from=Profile.load(options.edges_from) if options.edges_from else None,
        limits=Limits(features=options.max_features, categories=options.max_categories),
    )
    profile.save(options.output)
    print(f"{options.output}: {len(profile.features)} features of {profile.rows} rows, sha256 {profile.sha256}")
    if left_out := len(profile.columns) - len(profile.features):
        print(f"{left_out} columns are not watched; --features chooses which are, --max-features how many")


def _show(profile: Profile) -> None:
    print(f"sha256 {profile.sha256}\nrows   {profile.rows}")
    for title, items in (("feature", profile.features), ("output", profile.outputs)):
        for item in items:
            print(f"\n{title} {item.name}, {item.missing} missing")
            bins = _bins(item)
            width = max(len(name) for name, _ in bins)
            most = max(rows for _, rows in bins) or 1
            for name, rows in bins:
                print(f"  {name:>{width}}  {rows:>9}  {'#' * round(_BAR * rows / most)}".rstrip())


def _bins(item: Distribution) -> list[tuple[str, int]]:
    if isinstance(item, Numeric):
        names = [*(f"<= {edge:g}" for edge in item.edges), f"> {item.edges[-1]:g}" if item.edges else "all"]
        return list(zip(names, item.counts, strict=True))
    return list(zip((*item.categories, OTHER), (*item.counts, item.other), strict=True))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _bounds(text: str) -> tuple[str, Bounds]:
    parts = _RANGE.fullmatch(text)
    if parts is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no range; write COLUMN=LOW:HIGH, such as age=0:120")
    name, low, high = parts.groups()
    return name, (float(low) if low else None, float(high) if high else None)


if __name__ == "__main__":
    sys.exit(main())
