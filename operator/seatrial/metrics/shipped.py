"""Data that ships with the operator: a YAML file for each server, gateway or source of prices."""

from __future__ import annotations

from importlib.resources import files
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict


class Data(BaseModel):
    """What such a file says; a word that nobody knows is a mistake in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


T = TypeVar("T", bound=Data)


def shipped(folder: str, model: type[T]) -> list[T]:
    """Read all files of a folder beside this module, in no particular order."""
    entries = (files("seatrial.metrics") / folder).iterdir()
    texts = [entry.read_text(encoding="utf-8") for entry in entries if entry.name.endswith(".yaml")]
    return [model.model_validate(yaml.safe_load(text)) for text in texts]
