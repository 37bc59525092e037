"""How one fact is written down in different accounts: typos, nicknames, letter case, abbreviations, phone formats."""

from __future__ import annotations

import unicodedata

import numpy as np

from c360lib.generate import texts
from c360lib.generate.draws import Draws, Ints
from c360lib.generate.names import CITIES, COUNTRIES, EMAIL_DOMAINS, FIRST_NAMES, STREETS, SURNAMES
from c360lib.generate.people import People, skewed
from c360lib.generate.texts import Text
from c360lib.sources.nicknames import NICKNAMES

_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})
_PLAIN = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "ı": "i"})
_SHORT = {
    "straße": "str.", "Straße": "Str.", "Street": "St", "Road": "Rd", "Avenue": "Av.", "Via ": "V. ",
    "straat": "str.", "ulica ": "ul. ", "Calle ": "C/ ", "Rue ": "R. ", "gatan": "g.", "Caddesi": "Cad.",
}  # fmt: skip


def plain(name: str) -> str:
    """The name in ASCII, German style for umlauts.

    >>> plain("Jürgen"), plain("Łukasz"), plain("O'Brien")
    ('Juergen', 'Lukasz', "O'Brien")
    """
    parts = unicodedata.normalize("NFKD", name.translate(_GERMAN).translate(_PLAIN))
    return parts.encode("ascii", "ignore").decode()


def slips(word: str) -> tuple[str, str, str]:
    """Three typing errors: a letter left out, two letters swapped, a letter typed twice.

    >>> slips("Anna")
    ('Ana', 'Anan', 'Annna')
    """
    middle = len(word) // 2
    left_out = word[:middle] + word[middle + 1 :] if len(word) > 3 else word + word[-1]
    swapped = word[:middle] + word[middle : middle + 2][::-1] + word[middle + 2 :]
    return left_out, swapped, word[:middle] + word[middle] + word[middle:]


# Forms of a name. 0 as it is, 1 to 3 slips, 4 capitals, 5 small letters, 6 ASCII, 7 nickname (first names only).
AS_IS, FIRST_SLIP, CAPITALS, SMALL, ASCII, NICKNAME, NICKNAMES_MOST = 0, 1, 4, 5, 6, 7, 4
SLIPS = 3


def _surname_forms(name: str) -> tuple[str, ...]:
    return (name, *slips(name), name.upper(), name.lower(), plain(name))


def _first_name_forms(name: str) -> tuple[str, ...]:
    nicknames = NICKNAMES.get(name, (name,))
    return (*_surname_forms(name), *(nicknames[i % len(nicknames)] for i in range(NICKNAMES_MOST)))


def _slug(name: str) -> str:
    return "".join(letter for letter in plain(name).lower() if letter.isalpha())


def _short(street: str) -> str:
    for long, short in _SHORT.items():
        street = street.replace(long, short)
    return street


_FIRST_FORMS = tuple(form for name in FIRST_NAMES for form in _first_name_forms(name))
_SURNAME_FORMS = tuple(form for name in SURNAMES for form in _surname_forms(name))
_FIRST_SLUGS, _SURNAME_SLUGS = tuple(map(_slug, FIRST_NAMES)), tuple(map(_slug, SURNAMES))
_DOMAIN_FORMS = tuple(
    form + domain[domain.index(".") :]
    for domain in EMAIL_DOMAINS
    for name in domain.split(".")[:1]
    for form in (name, slips(name)[1])
)
_COUNTRY_OF_CITY = np.array([[c.code for c in COUNTRIES].index(city.country) for city in CITIES], dtype=np.int64)
_ALL_STREETS = tuple(street for streets in STREETS.values() for street in streets)
_STREET_FORMS = tuple(form for street in _ALL_STREETS for form in (street, _short(street), street.lower()))
_STREETS_FROM = np.array([_ALL_STREETS.index(STREETS[c.streets][0]) for c in COUNTRIES], dtype=np.int64)
_STREETS_SIZE = np.array([len(STREETS[c.streets]) for c in COUNTRIES], dtype=np.int64)
_HOUSE_LETTERS, _HOUSE_LETTER_WEIGHTS, _MOST_HOUSES = ("", "a", "b", "c"), (92, 4, 3, 1), 160
_STAYS_IN_TOWN = 6_000


def first_name(indices: Ints, form: Ints) -> Text:
    """First names in their form; `form` NICKNAME + i is the nickname i, or the formal name where there is none."""
    return texts.choose(_FIRST_FORMS, indices * (NICKNAME + NICKNAMES_MOST) + form)


def last_name(indices: Ints, second: Ints, form: Ints) -> Text:
    """Surnames, double where `second` is not -1; slips touch the first half only."""
    front = texts.choose(_SURNAME_FORMS, indices * NICKNAME + form)
    back = texts.choose(_SURNAME_FORMS, np.maximum(second, 0) * NICKNAME + np.where(form < CAPITALS, AS_IS, form))
    return texts.where(second >= 0, texts.join(front, "-", back), front)


# Forms of an e-mail address: 0 as it is, 1 capitals, 2 a capital first letter, 3 a slip in the domain.
EMAIL_CAPITALS, EMAIL_CAPITAL, EMAIL_SLIP = 1, 2, 3


def email(people: People, owner: Ints, generation: Ints, form: Ints) -> Text:
    """The e-mail address of each owner (a person number); generation 1 is the one after a change."""
    draws = Draws(people.seed, owner * 2 + generation)
    row = people.row(owner)
    first = texts.choose(_FIRST_SLUGS, people.first[row])
    last = texts.choose(_SURNAME_SLUGS, people.last[row])
    initial = texts.choose([slug[0] for slug in _FIRST_SLUGS], people.first[row])
    shape = draws.below("e-mail shape", 3)
    front = texts.where(shape == 0, first, initial)
    number = texts.number(10 + draws.below("e-mail number", 9_990))
    local = texts.join(front, texts.choose((".", "", "_"), shape), last, number)
    slip = (form == EMAIL_SLIP).astype(np.int64)
    domain = texts.choose(_DOMAIN_FORMS, draws.pick("e-mail domain", skewed(len(EMAIL_DOMAINS))) * 2 + slip)
    text = texts.join(local, "@", domain)
    text = texts.where(form == EMAIL_CAPITAL, texts.capital(text), text)
    return texts.where(form == EMAIL_CAPITALS, texts.capitals(text), text)


# Formats of a phone number, and their weights.
PHONE_FORMATS = (
    "+{cc} {prefix} {number}", "{trunk}{prefix} {number}", "+{cc}{prefix}{number}", "+{cc}-{prefix}-{number}",
    "00{cc} {prefix} {number}", "{trunk}{prefix}/{number}",
)  # fmt: skip
PHONE_FORMAT_WEIGHTS = (50, 12, 20, 8, 4, 6)
_PHONE_FRONTS = tuple(
    layout.split("{number}")[0].format(cc=c.calling_code, trunk=c.trunk, prefix=c.mobile_prefix)
    for c in COUNTRIES
    for layout in PHONE_FORMATS
)


def phone(people: People, owner: Ints, generation: Ints, layout: Ints) -> Text:
    """The mobile number of each owner, in a format of PHONE_FORMATS; the country is that of the owner's first home."""
    draws = Draws(people.seed, owner * 2 + generation)
    country = _COUNTRY_OF_CITY[_first_city(people, owner)]
    front = texts.choose(_PHONE_FRONTS, country * len(PHONE_FORMATS) + layout)
    return texts.join(front, texts.digits(draws.below("phone number", 100_000_000), 8))


def _first_city(people: People, owner: Ints) -> Ints:
    return Draws(people.seed, people.home[people.row(owner)] * 2).pick("city", skewed(len(CITIES)))


def address(people: People, person: Ints, generation: Ints, form: Ints) -> dict[str, Text]:
    """Street with house number, city, postcode and country of each person number; generation 1 is after the move.

    `form` 0 is as it is, 1 abbreviated, 2 in small letters.
    """
    owner = np.where(generation == 0, people.home[people.row(person)], person)
    draws = Draws(people.seed, owner * 2 + generation)
    stays = (generation == 1) & draws.chance("stays in town", _STAYS_IN_TOWN)
    city = np.where(stays, _first_city(people, person), draws.pick("city", skewed(len(CITIES))))
    country = _COUNTRY_OF_CITY[city]
    street = _STREETS_FROM[country] + draws.below("street", _STREETS_SIZE[country])
    letter = texts.choose(_HOUSE_LETTERS, draws.pick("letter", _HOUSE_LETTER_WEIGHTS))
    house = texts.join(texts.number(1 + draws.below("house", _MOST_HOUSES)), letter)
    return {
        "street": texts.join(texts.choose(_STREET_FORMS, street * 3 + form), " ", house),
        "city": texts.choose([c.name for c in CITIES], city),
        "postcode": texts.choose([c.postcode for c in CITIES], city),
        "country": texts.choose([c.country for c in CITIES], city),
    }
