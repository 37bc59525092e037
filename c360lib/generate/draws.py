"""Integers drawn by counting: the same seed, question and number give the same answer on every machine.

There is no generator with a state. Each answer is a mix of (seed, question, number), so no answer depends on how many
others were drawn or in which order. All arithmetic is on 64-bit integers; no float takes part.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Bits: TypeAlias = npt.NDArray[np.uint64]
Flags: TypeAlias = npt.NDArray[np.bool_]

TEN_THOUSAND = 10_000
_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FNV_OFFSET, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = (np.uint64(shift) for shift in (30, 27, 31, 32))
_FEISTEL_ROUNDS = 4

# A thousand times -ln(1 - (i + 1/2) / 64): waiting times of mean 1000, as integers.
WAITING = np.array(
    [
        8, 24, 40, 56, 73, 90, 107, 125, 143, 161, 179, 198, 217, 237, 257, 277, 298, 319, 341, 363, 386, 409, 433, 458,
        483, 508, 535, 562, 589, 618, 647, 678, 709, 741, 774, 809, 845, 882, 920, 960, 1002, 1045, 1091, 1138, 1188,
        1241, 1297, 1356, 1418, 1485, 1556, 1633, 1717, 1808, 1908, 2019, 2144, 2287, 2454, 2655, 2906, 3243, 3753,
        4852,
    ],
    dtype=np.int64,
)  # fmt: skip


def _mix(bits: Bits) -> Bits:
    """The splitmix64 finaliser (Steele, Lea, Flood 2014): a bijection of 64-bit numbers that looks random."""
    bits = (bits ^ (bits >> _30)) * _FIRST
    bits = (bits ^ (bits >> _27)) * _SECOND
    return bits ^ (bits >> _31)


@lru_cache(maxsize=1024)
def _key(seed: int, question: str) -> np.uint64:
    """One number for a seed and a question: the question's FNV-1a hash, moved by the seed and mixed."""
    state = _FNV_OFFSET
    for byte in question.encode():
        state = ((state ^ byte) * _FNV_PRIME) & _MASK
    start = np.array([(state + (seed + 1) * _GOLDEN) & _MASK], dtype=np.uint64)
    return np.uint64(_mix(_mix(start))[0])


class Draws:
    """Answers for numbered things, of any array shape. A question is a text, and is asked once for each thing.

    >>> dice = Draws(360, np.arange(6))
    >>> dice.below("throw", 6).tolist() == Draws(360, np.arange(3, 6)).below("throw", 6).tolist()
    False
    >>> dice.below("throw", 6)[3:].tolist() == Draws(360, np.arange(3, 6)).below("throw", 6).tolist()
    True
    """

    def __init__(self, seed: int, numbers: npt.NDArray[Any]) -> None:
        """Keep the seed and the numbers of the things."""
        self._seed = seed
        self._numbers = numbers.astype(np.uint64)

    def bits(self, question: str) -> Bits:
        """64 bits for each thing."""
        return _mix(self._numbers * np.uint64(_GOLDEN) + _key(self._seed, question))

    def below(self, question: str, limit: int | Ints) -> Ints:
        """For each thing an integer from 0 to limit - 1; limits are from 1 to 2**32."""
        bound = np.asarray(limit).astype(np.uint64)
        return (((self.bits(question) >> _32) * bound) >> _32).astype(np.int64)

    def chance(self, question: str, per_ten_thousand: int | Ints) -> Flags:
        """For each thing True with that rate."""
        return np.asarray(self.below(question, TEN_THOUSAND) < per_ten_thousand)

    def pick(self, question: str, weights: Sequence[int] | Ints) -> Ints:
        """For each thing an index into `weights`, as often as the weight at that index says."""
        steps = np.cumsum(np.asarray(weights, dtype=np.int64))
        return np.searchsorted(steps, self.below(question, int(steps[-1])), side="right").astype(np.int64)

    def wait(self, question: str, mean: int | Ints) -> Ints:
        """For each thing a waiting time with (about) that mean, in the mean's unit; many are short, few are long."""
        return WAITING[self.below(question, len(WAITING))] * np.asarray(mean, dtype=np.int64) // 1000


def scramble(seed: int, purpose: str, numbers: Ints, half: int) -> Ints:
    """Numbers from 0 to half**2 - 1 in another order: no two become equal, and neighbours end up far apart.

    A Feistel network with addition modulo `half`, so the range is a power of ten and the ids have a fixed width.

    >>> sorted(scramble(360, "ids", np.arange(100), 10).tolist()) == list(range(100))
    True
    """
    left, right = numbers // half, numbers % half
    for turn in range(_FEISTEL_ROUNDS):
        left, right = right, (left + Draws(seed, right).below(f"{purpose} {turn}", half)) % half
    return left * half + right
