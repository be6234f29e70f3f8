"""A reference profile: how each feature and each output of a model was distributed when it was trained.

A profile is immutable: its JSON has one spelling, and its SHA-256 goes with it, in the file and on the metrics page.
Two servers that show the same hash count on the same edges.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

OTHER: Final = "__other__"
"""Category of everything that was not declared."""
FORMAT: Final = "seatrial-profile/1"


@dataclass(frozen=True, slots=True)
class Numeric:
    """Distribution of a numeric feature or output.

    Attributes
    ----------
    name
        Column.
    edges
        Inner edges of the bins, ascending and finite; none of them is a training value. Bin i holds the values that are
        above edge i - 1 and at most edge i; values above the last edge form the last bin.
    counts
        Training rows in each bin, one more than there are edges.
    low, high
        Range of valid values, both inclusive; None: not bounded on that side.
    missing
        Training rows without a value.
    """

    name: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    low: float | None = None
    high: float | None = None
    missing: int = 0

    def __post_init__(self) -> None:
        _check_counts(self.name, (*self.counts, self.missing))
        if not all(math.isfinite(edge) for edge in self.edges):
            raise ValueError(f"{self.name}: every edge must be finite, got {self.edges}")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"{self.name}: edges must rise, got {self.edges}")
        if len(self.counts) != len(self.edges) + 1:
            raise ValueError(
                f"{self.name}: {len(self.edges)} edges need {len(self.edges) + 1} counts, got {len(self.counts)}"
            )
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if not all(math.isfinite(bound) for bound in bounds) or bounds != sorted(bounds):
            raise ValueError(
                f"{self.name}: a range goes from a lower to a higher number, got {self.low} to {self.high}"
            )


@dataclass(frozen=True, slots=True)
class Categorical:
    """Distribution of a categorical feature or of a classifier's answers.

    Attributes
    ----------
    name
        Column.
    categories
        The categories that become labels, the most frequent first.
    counts
        Training rows of each.
    other
        Training rows of all other categories.
    missing
        Training rows without a value.
    """

    name: str
    categories: tuple[str, ...]
    counts: tuple[int, ...]
    other: int = 0
    missing: int = 0

    def __post_init__(self) -> None:
        _check_counts(self.name, (*self.counts, self.other, self.missing))
        if len(set(self.categories)) != len(self.categories) or OTHER in self.categories:
            raise ValueError(
                f"{self.name}: categories must differ from each other and from {OTHER}, got {self.categories}"
            )
        if len(self.counts) != len(self.categories):
            raise ValueError(f"{self.name}: {len(self.categories)} categories have {len(self.counts)} counts")


Distribution = Numeric | Categorical


@dataclass(frozen=True, slots=True)
class Profile:
    """What a model server needs to know of the training data.

    Attributes
    ----------
    rows
        Training rows that were counted.
    columns
        All inputs of the model, in the order in which a matrix holds them.
    features
        The inputs that are watched.
    outputs
        The model's answers on data that it was not trained on; may be empty.
    """

    rows: int
    columns: tuple[str, ...]
    features: tuple[Distribution, ...]
    outputs: tuple[Distribution, ...] = ()

    def __post_init__(self) -> None:
        watched = [feature.name for feature in self.features]
        if unknown := set(watched) - set(self.columns):
            raise ValueError(f"features {sorted(unknown)} are no columns of the model")
        for names in (watched, self.columns, [output.name for output in self.outputs]):
            if len(set(names)) != len(names):
                raise ValueError(f"names must differ, got {list(names)}")

    @property
    def sha256(self) -> str:
        """SHA-256 of the profile's one spelling, 64 hexadecimal digits."""
        return hashlib.sha256(_spelling(self._as_dict())).hexdigest()

    @property
    def schema_sha256(self) -> str:
        """SHA-256 of names, types and order of inputs and outputs alone, 64 hexadecimal digits."""
        kinds = [[(d.name, _kind(d)) for d in group] for group in (self.features, self.outputs)]
        return hashlib.sha256(_spelling([self.columns, *kinds])).hexdigest()

    def to_json(self) -> str:
        """Write the profile and its hash."""
        return json.dumps({"sha256": self.sha256, "profile": self._as_dict()}, indent=1, ensure_ascii=False) + "\n"

    def save(self, path: Path | str) -> None:
        """Write the profile to a file that does not exist yet.

        Raises
        ------
        FileExistsError
            The file exists: a profile is immutable, a new one gets a new name.
        """
        with Path(path).open("x", encoding="utf-8") as stream:
            stream.write(self.to_json())

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Read a profile.

        Raises
        ------
        ValueError
            The text is no profile, or it was changed after it was written.
        """
        try:
            document = json.loads(text)
            body = document["profile"]
            if body["format"] != FORMAT:
                raise ValueError(f"this is a profile of format {body['format']!r}; this library reads {FORMAT!r}")
            profile = cls(
                rows=body["rows"],
                columns=tuple(body["columns"]),
                features=tuple(_read(item) for item in body["features"]),
                outputs=tuple(_read(item) for item in body["outputs"]),
            )
            stated = document["sha256"]
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"this is no reference profile ({error!r}); make one with `seatrial-profile build`"
            ) from error
        if profile.sha256 != stated:
            raise ValueError(
                f"the profile was changed after it was made: it says {stated}, its content has {profile.sha256}; "
                f"a profile is immutable, build a new one with `seatrial-profile build`"
            )
        return profile

    @classmethod
    def load(cls, path: Path | str) -> Profile:
        """Read a profile from a file.

        Raises
        ------
        ValueError
            The file is no profile, or it was changed after it was written.
        """
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def _as_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "rows": self.rows,
            "columns": list(self.columns),
            "features": [_written(item) for item in self.features],
            "outputs": [_written(item) for item in self.outputs],
        }


def _spelling(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _kind(item: Distribution) -> str:
    return "numeric" if isinstance(item, Numeric) else "categorical"


def _written(item: Distribution) -> dict[str, Any]:
    fields = {name: getattr(item, name) for name in item.__slots__}
    return {"type": _kind(item)} | {
        key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()
    }


def _read(fields: dict[str, Any]) -> Distribution:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in fields.items() if key != "type"
    }
    match fields["type"]:
        case "numeric":
            return Numeric(**values)
        case "categorical":
            return Categorical(**values)
        case other:
            raise ValueError(f"{fields['name']}: a feature is numeric or categorical, not {other!r}")


def _check_counts(name: str, counts: tuple[int, ...]) -> None:
    if any(count < 0 for count in counts):
        raise ValueError(f"{name}: counts can't be negative, got {counts}")
