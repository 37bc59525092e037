"""Values as they are compared: folded case and space, formal first names, phone digits. Never shown to anybody."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.sources import cells
from c360lib.sources.nicknames import NICKNAMES

KEYS = ("first_name_key", "last_name_key", "email_key", "phone_key", "street_key", "loyalty_key")
PHONE_DIGITS = 9
SHORTEST_PHONE_DIGITS = 7


def match_keys(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """The `KEYS` of rows of customers.csv; null where the value is absent.

    >>> row = {n: pa.array(["Bob " if n == "first_name" else None], pa.string()) for n in
    ...        ("first_name", "last_name", "email", "phone", "street", "loyalty_id")}
    >>> match_keys(row)["first_name_key"].to_pylist()
    ['robert']
    """
    return {
        "first_name_key": first_names(columns["first_name"]),
        "last_name_key": cells.folded(columns["last_name"]),
        "email_key": cells.folded(columns["email"]),
        "phone_key": phone_digits(columns["phone"]),
        "street_key": cells.folded(columns["street"]),
        "loyalty_key": cells.folded(columns["loyalty_id"]),
    }


def first_names(array: pa.Array) -> pa.Array:
    """Folded first names, nicknames as their formal name."""
    return cells.map_distinct(array, _formal)


def _formal(name: str) -> str | None:
    folded = cells.fold(name)
    return _FORMAL.get(folded, folded) or None


def phone_digits(array: pa.Array) -> pa.Array:
    """The last nine digits of a phone number, so that country and trunk prefixes do not matter.

    >>> phone_digits(pa.array(["+49 (30) 123-4567", "030 123 4567", "110"])).to_pylist()
    ['301234567', '301234567', None]
    """
    digits = pc.replace_substring_regex(array, "[^0-9]+", "")
    enough = pc.greater_equal(pc.binary_length(digits), SHORTEST_PHONE_DIGITS)
    return pc.if_else(enough, pc.utf8_slice_codeunits(digits, -PHONE_DIGITS), pa.scalar(None, pa.string()))


_FORMAL = {cells.fold(nick): cells.fold(formal) for formal, nicks in NICKNAMES.items() for nick in nicks}
