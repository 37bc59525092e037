"""Cells: text becomes what its column says, or null; it never raises and never guesses."""

from __future__ import annotations

import datetime
import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.schemas import RAW, SILVER
from c360lib.sources import cells, moments
from c360lib.sources.match_keys import phone_digits

LETTERS = [chr(code) for code in range(0x32400) if not 0xD800 <= code <= 0xDFFF]
CUSTOMERS, ORDERS = RAW["customers"], RAW["orders"]


def typed(texts: list[str | None], source: str, column: str) -> list[object]:
    """Cells of a raw column as typed values."""
    return cells.typed(cells.trimmed(pa.array(texts, pa.string())), RAW[source].column(column)).to_pylist()


TIMESTAMPS = {
    "1970-01-01T00:00:00Z": 0,
    "1970-01-02T00:00:01Z": 86_401,
    "1969-12-31T23:59:59Z": -1,
    "2024-02-29T12:00:00Z": 1_709_208_000,
    "9999-12-31T23:59:59Z": 253_402_300_799,
    "0001-01-01T00:00:00Z": -62_135_596_800,
    " 1970-01-01T00:00:00Z\t": 0,
    "\u00a01970-01-01T00:00:00Z": 0,
    "0000-01-01T00:00:00Z": None,
    "2023-02-29T12:00:00Z": None,
    "2026-02-30T10:00:00Z": None,
    "2026-13-01T00:00:00Z": None,
    "2026-00-10T00:00:00Z": None,
    "2026-06-31T00:00:00Z": None,
    "2026-06-30T24:00:00Z": None,
    "2026-06-30T23:60:00Z": None,
    "2026-06-30T23:59:60Z": None,
    "2026-06-30T23:59:59": None,
    "2026-06-30T23:59:59z": None,
    "2026-06-30t23:59:59Z": None,
    "2026-06-30 23:59:59Z": None,
    "2026-06-30T23:59:59.0Z": None,
    "2026-06-30T23:59:59+00:00": None,
    "2026-06-30T23:59Z": None,
    "2026-06-30": None,
    "20260630T235959Z": None,
    "2026-6-30T23:59:59Z": None,
    "+2026-06-30T23:59:59Z": None,
    "２０２６-06-30T23:59:59Z": None,
    "2026-06-30T23:59:59Z\x00": None,
    "2026-06-30T23:59:59Z 2": None,
    "1782863999": None,
    "NA": None,
    "": None,
    "   ": None,
}


@pytest.mark.parametrize("form", ["{}", "a{}", "{}a", "{}é", "é{}", "中{}"])
def test_white_space_goes_from_the_ends_whatever_its_bytes_are(form: str) -> None:
    """As Python's `strip`, for every character in use, whatever stands beside it."""
    texts = [form.format(letter) for letter in LETTERS]
    assert [text.strip() or None for text in texts] == cells.trimmed(pa.array(texts)).to_pylist()


@pytest.mark.parametrize(("text", "expected"), TIMESTAMPS.items())
def test_a_timestamp_is_read_exactly_or_not_at_all(text: str, expected: int | None) -> None:
    """Only YYYY-MM-DDTHH:MM:SSZ on the calendar is a time; spaces around it do not matter."""
    assert [expected] == typed([text], "orders", "ordered_ts")


def test_one_impossible_timestamp_leaves_its_column_alone() -> None:
    """Every other cell of the column keeps its value, whatever stands beside it."""
    assert list(TIMESTAMPS.values()) == typed(list(TIMESTAMPS), "orders", "ordered_ts")


DATES = {
    "1970-01-01": 0,
    "1969-12-31": -1,
    "2000-02-29": 11_016,
    "9999-12-31": 2_932_896,
    "0001-01-01": -719_162,
    "1900-02-29": None,
    "2026-02-30": None,
    "0000-01-01": None,
    "19700101": None,
    "1970-W01-4": None,
    "1970-1-1": None,
    "01.01.1970": None,
    "1970-01-01T00:00:00Z": None,
    "１９７０-01-01": None,
    "1970-01-01\x00": None,
    "": None,
}


@pytest.mark.parametrize(("text", "expected"), DATES.items())
def test_a_date_is_read_exactly_or_not_at_all(text: str, expected: int | None) -> None:
    """Only YYYY-MM-DD on the calendar is a date."""
    assert [expected] == typed([text], "customers", "date_of_birth")


NUMBERS = {
    "0": 0,
    "007": 7,
    "-5": -5,
    "-0": 0,
    " 12 ": 12,
    "999999999999999999": 999_999_999_999_999_999,
    "-999999999999999999": -999_999_999_999_999_999,
    "000000000000000001": 1,
    "0000000000000000001": None,
    "1000000000000000000": None,
    "9223372036854775808": None,
    "+5": None,
    "-": None,
    "--5": None,
    "- 5": None,
    "5-": None,
    "1.0": None,
    "1,000": None,
    "1_000": None,
    "1 000": None,
    "1e3": None,
    "0x1f": None,
    "0X1F": None,
    "0b1": None,
    "１２": None,
    "٣": None,
    "²": None,
    "true": None,
    "nan": None,
    "inf": None,
    "5\x00": None,
    "": None,
}


@pytest.mark.parametrize(("text", "expected"), NUMBERS.items())
def test_a_number_has_at_most_eighteen_ascii_digits(text: str, expected: int | None) -> None:
    """Signs other than one leading minus, points, exponents, hexadecimal and other alphabets' digits are no numbers."""
    assert [expected] == typed([text], "orders", "lsn")


def test_one_unreadable_number_leaves_its_column_alone() -> None:
    """Every other cell of the column keeps its value."""
    assert list(NUMBERS.values()) == typed(list(NUMBERS), "orders", "lsn")


def test_money_is_not_negative() -> None:
    """An amount below zero is unreadable; zero is an amount."""
    assert [None, 0, 5] == typed(["-1", "-0", "5"], "orders", "net_amount_cents")


def test_na_stays_text() -> None:
    """NA is Namibia, None a town, null a name: no word means absent."""
    words = ["NA", "N/A", "null", "None", "NaN", "#N/A", "-"]
    assert words == typed(words, "customers", "country")


def test_text_is_trimmed_and_never_empty() -> None:
    """White space of any kind at the ends goes; what is nothing but white space is absent; inner space stays."""
    texts = [" a  b ", "\u00a0Ada\u00a0", "\u3000", "\t\r\n", "", None, "\u2003x", "\x00"]
    assert ["a  b", "Ada", None, None, None, None, "x", "\x00"] == typed(texts, "customers", "city")


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(" \t\u00a0\x1faé", max_size=5))), st.integers(0, 3), st.integers(0, 9))
def test_each_cell_is_trimmed_as_python_trims_it(texts: list[str | None], skip: int, length: int) -> None:
    """Whatever stands in the other cells, in a slice as in the whole."""
    found = cells.trimmed(pa.array(texts, pa.string()).slice(skip, length))
    found.validate(full=True)
    assert [(text or "").strip() or None for text in texts[skip : skip + length]] == found.to_pylist()


def test_a_null_stays_null_whatever_bytes_lie_under_it() -> None:
    """Arrow may null a cell and leave its bytes in place; nothing may bring them back."""
    texts = pa.array(["12345678", "b", "87654321"], pa.string())
    nulled = cells.matching(pa.array(["12345678", None, "NA"], pa.string()), "^1")
    under = pa.StringArray.from_buffers(3, texts.buffers()[1], texts.buffers()[2], pa.py_buffer(b"\x04"))
    for function in (cells.trimmed, cells.folded, phone_digits):
        assert [None, None, "87654321"] == function(under).to_pylist()
        assert ["12345678", None, None] == function(nulled).to_pylist()


def test_values_outside_the_list_are_unreadable() -> None:
    """An enumerated column takes its own words only, in their own case."""
    assert ["paid", None, None, "paid", None] == typed(["paid", "Paid", "lost", " paid", ""], "orders", "status")


def test_an_email_has_one_at_sign_and_a_dot_after_it() -> None:
    """Other text in an e-mail column is unreadable."""
    texts = ["a@b.c", "a.b+c@d-e.example", "a@b", "@b.c", "a@@b.c", "a b@c.d", "nobody", "ü@ö.de"]
    assert ["a@b.c", "a.b+c@d-e.example", None, None, None, None, None, "ü@ö.de"] == typed(texts, "customers", "email")


def test_a_source_system_is_lower_case_ascii() -> None:
    """Its letters must be usable in a record_id."""
    texts = ["crm", "web_2", "CRM", "web-shop", "a:b", "café", "crm\nx"]
    assert ["crm", "web_2", None, None, None, None, None] == typed(texts, "customers", "source_system")


MOMENTS = st.datetimes().map(lambda moment: f"{moment.replace(microsecond=0).isoformat()}Z")


@settings(deadline=None, max_examples=50)
@given(st.lists(MOMENTS, min_size=1))
def test_a_timestamp_comes_back_as_it_was(texts: list[str]) -> None:
    """Rendering what was read gives the same text, from year 1 to year 9999."""
    column = ORDERS.column("event_ts")
    assert texts == cells.rendered(cells.typed(pa.array(texts), column), column).to_pylist()
    assert texts == [moments.moment_text(moments.seconds_or_none(text) or 0) for text in texts]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.dates(), min_size=1))
def test_a_date_comes_back_as_it_was(dates: list[datetime.date]) -> None:
    """Rendering what was read gives the same text, from year 1 to year 9999."""
    column = CUSTOMERS.column("date_of_birth")
    texts = [date.isoformat() for date in dates]
    assert texts == cells.rendered(cells.typed(pa.array(texts), column), column).to_pylist()


def changed(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts with one character put in another's place, or cut out."""
    letters = st.sampled_from("0123456789-:TZ+. tzx\x00１")
    return st.builds(
        lambda text, at, letter, cut: text[: at % len(text)] + letter + text[at % len(text) + cut :],
        texts,
        st.integers(0, 40),
        letters | st.just(""),
        st.integers(0, 1),
    )


def second_of(text: str) -> int | None:
    """The reference for a timestamp: shape by expression, calendar by datetime."""
    text = text.strip(" ")
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text):
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return (
        None
        if text[11:13] == "24"
        else (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(seconds=1)
    )


@settings(deadline=None, max_examples=150)
@given(st.lists(MOMENTS | changed(MOMENTS), min_size=1, max_size=20))
def test_a_column_of_timestamps_is_read_as_its_cells_are(texts: list[str]) -> None:
    """Whatever a column holds, each cell is what an independent reader of that cell alone gives."""
    assert [second_of(text) for text in texts] == typed(texts, "orders", "ordered_ts")


DATE_TEXTS = st.dates().map(str)


def day_of(text: str) -> int | None:
    """The reference for a date: what the calendar writes as it was read."""
    try:
        day = datetime.date.fromisoformat(text.strip(" "))
    except ValueError:
        return None
    return (day - datetime.date(1970, 1, 1)).days if str(day) == text.strip(" ") else None


@settings(deadline=None, max_examples=150)
@given(st.lists(DATE_TEXTS | changed(DATE_TEXTS), min_size=1, max_size=20))
def test_a_column_of_dates_is_read_as_its_cells_are(texts: list[str]) -> None:
    """Whatever a column holds, each cell is what an independent reader of that cell alone gives."""
    assert [day_of(text) for text in texts] == typed(texts, "customers", "date_of_birth")


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.integers(-(10**18) + 1, 10**18 - 1).map(str) | st.text("0123456789-+xX. e_１", max_size=20), min_size=1)
)
def test_a_column_of_numbers_is_read_as_its_cells_are(texts: list[str]) -> None:
    """Whatever a column holds, each cell is what an independent reader of that cell alone gives."""
    expected = [int(text) if re.fullmatch("-?[0-9]{1,18}", text.strip(" ")) else None for text in texts]
    assert expected == typed(texts, "orders", "lsn")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([*TIMESTAMPS, None]), min_size=1), st.integers(0, 5), st.integers(0, 5))
def test_a_slice_of_a_column_is_read_as_the_whole(texts: list[str | None], skip: int, length: int) -> None:
    """Arrow slices share their buffers with cells outside the slice; those must not count."""
    column = ORDERS.column("ordered_ts")
    whole = cells.trimmed(pa.array(texts, pa.string()))
    expected = cells.typed(whole, column).to_pylist()[skip : skip + length]
    assert expected == cells.typed(whole.slice(skip, length), column).to_pylist()


PHONES = st.one_of(st.none(), st.text("0123456789 +-()１a", max_size=16))


@settings(deadline=None, max_examples=100)
@given(st.lists(PHONES))
def test_a_phone_number_is_its_last_nine_digits(texts: list[str | None]) -> None:
    """Of ASCII digits there must be seven; whatever stands between them does not matter."""
    digits = ["".join(letter for letter in text or "" if letter in "0123456789") for text in texts]
    expected = [found[-9:] if len(found) >= 7 else None for found in digits]
    assert expected == phone_digits(pa.array(texts, pa.string())).to_pylist()


# --- folding ----------------------------------------------------------------------------------------------------------
FOLDS = {
    "  ANNA \t Maria ": "anna maria",
    "Straße\u00a09": "strasse 9",
    "STRASSE 9": "strasse 9",
    "ΟΔΥΣΣΕΥΣ": "οδυσσευσ",
    "Οδυσσεύς": "οδυσσεύσ",
    "İpek": "i\u0307pek",
    "ıpek": "ıpek",
    "Ｊｏｈｎ": "john",
    "Zoe\u0308": "zoë",
    "ﬁn": "fin",
    "a\x00b\x1fc": "a b c",
    "\u3000": None,
    "\x00": None,
    "": None,
}


@pytest.mark.parametrize(("text", "expected"), FOLDS.items())
def test_fold_is_one_form_for_each_way_to_write_it(text: str, expected: str | None) -> None:
    """Case, compatibility forms, sharp s, final sigma, dotted I and every kind of space have one folded form."""
    assert (expected or "") == cells.fold(text)
    assert [expected] == cells.folded(pa.array([text])).to_pylist()


def test_folding_a_column_is_folding_each_cell_for_every_letter() -> None:
    """The short way for ASCII and the long way for other alphabets give the same, letter by letter."""
    inner = [f"a{letter}B" for letter in LETTERS]
    assert [cells.fold(text) for text in inner] == cells.folded(pa.array(inner)).to_pylist()
    assert [cells.fold(letter) or None for letter in LETTERS] == cells.folded(pa.array(LETTERS)).to_pylist()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(st.characters(max_codepoint=0x200)), min_size=1, max_size=5))
def test_folding_does_not_depend_on_the_neighbours(texts: list[str]) -> None:
    """A cell folds the same in any column."""
    assert [cells.fold(text) or None for text in texts] == cells.folded(pa.array(texts)).to_pylist()


def test_booleans_and_ratios_are_read() -> None:
    """True and false only; a ratio is a decimal."""
    deleted, probability = SILVER["orders"].column("is_deleted"), SILVER["identity_edges"].column("match_probability")
    assert [True, False, None, None] == cells.typed(pa.array(["true", "false", "True", None]), deleted).to_pylist()
    assert [1.0, 0.25, None] == cells.typed(pa.array(["1", "0.25", None]), probability).to_pylist()
