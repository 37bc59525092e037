"""What a layer is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Moment(NamedTuple):
    """What may be known of time, in seconds since 1970: the moment asked for, and how far the data reach."""

    as_of: int
    reach: int


class Layer(NamedTuple):
    """A table, the function that makes it and the tables that it takes. How it is run says `run.HOW`."""

    name: str
    make: Callable[..., Any]
    inputs: tuple[str, ...]


def from_tables(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """A layer that looks at its tables only."""
    return lambda at, *tables: function(*tables, **fixed)


def from_tables_at(function: Callable[..., Any], **fixed: Any) -> Callable[..., Any]:
    """A layer that looks at its tables and at as_of."""
    return lambda at, *tables: function(*tables, as_of=at.as_of, **fixed)
