"""Exact decimals: what a number stands for, floors, order, rounding; and the grid that counts memory in integers."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainopt.model import Instance, Server, Service, Workload
from chainopt.model.grid import MemoryGrid, TimeGrid
from chainopt.quantity import (
    RELATIVE_TOLERANCE,
    at_least,
    decimal_places,
    exact,
    exact_argsort,
    integers,
    rounded,
    scaled,
    significant,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("0.10"), Decimal("0.1")),
        (3, Decimal(3)),
        (10**30, Decimal(10**30)),
        (0.1, Decimal("0.1")),
        (0.1 + 0.2, Decimal("0.30000000000000004")),
        (1e22, Decimal("1e22")),
        (5e-324, Decimal("5e-324")),
        (np.float64(1.32), Decimal("1.32")),
        (np.int64(-7), Decimal(-7)),
        (np.uint8(200), Decimal(200)),
    ],
)
def test_exact(value: object, expected: Decimal) -> None:
    """A float stands for the shortest decimal that reads back as it, everything else for itself."""
    assert exact(value) == expected


@pytest.mark.parametrize("value", [True, False, np.True_, "1", None, 1j, Fraction(1, 3), [1]])
def test_what_is_no_number(value: object) -> None:
    """Booleans, text and fractions are no decimals."""
    with pytest.raises(TypeError, match="not a number"):
        exact(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_exact_reads_back(value: float) -> None:
    """The decimal of a float reads back as the float."""
    assert float(exact(value)) == value


@pytest.mark.parametrize(
    ("values", "places"),
    [([], 0), (["5"], 0), (["1e3"], 0), (["1.50"], 1), (["0.1", "2.345"], 3), (["1e-9"], 9), (["0"], 0), (["0.00"], 0)],
)
def test_decimal_places(values: list[str], places: int) -> None:
    """Zeros at the end do not count, before or after the point."""
    assert decimal_places([Decimal(value) for value in values]) == places


@given(st.lists(st.decimals(-(10**6), 10**6, places=5), min_size=1))
def test_scaled(values: list[Decimal]) -> None:
    """With enough places the integers are exact."""
    places = decimal_places(values)

    assert places <= 5
    assert [Fraction(n, 10**places) for n in scaled(values, places)] == [Fraction(value) for value in values]


def test_scaled_too_coarsely() -> None:
    """With too few places the nearest integer is taken, halves to even."""
    assert scaled([Decimal("0.26"), Decimal("0.25"), Decimal("0.35"), Decimal("-0.26")], 1) == [3, 2, 4, -3]


def test_integers() -> None:
    """Arrays of integers are read-only, and too large ones are errors."""
    array = integers([1, 2**62])

    assert array.tolist() == [1, 2**62]
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 5
    with pytest.raises(OverflowError):
        integers([2**63])


def test_at_least() -> None:
    """Rates that differ by rounding are equal, rates that differ by more are not."""
    assert 0.1 + 0.2 != 0.3
    assert at_least(0.3, 0.1 + 0.2)
    assert at_least(0.1 + 0.2, 0.3)
    assert at_least(1.0, 1 + RELATIVE_TOLERANCE / 2)
    assert not at_least(1.0, 1 + 2 * RELATIVE_TOLERANCE)
    assert not at_least(1e-20, 2e-20)  # the tolerance is relative


def test_order_of_keys_that_are_one_float() -> None:
    """Keys that round to one float are told apart, keys that are equal keep their order."""
    tiny = Fraction(1, 10**25)
    keys = [1 + 2 * tiny, Fraction(1), 1 + tiny, Fraction(1, 2), Fraction(1), 1 + tiny]

    order = exact_argsort(np.array([float(key) for key in keys]), keys.__getitem__)

    assert order.tolist() == [3, 1, 4, 2, 5, 0]


def test_order_that_floats_get_wrong() -> None:
    """Sums that are equal, or ordered the other way, are put right: 0.1 + 0.2 = 0.3 < 0.3 + 1e-17."""
    keys = [Fraction(3, 10) + Fraction(1, 10**17), Fraction(3, 10), Fraction(3, 10)]

    order = exact_argsort(np.array([0.3, 0.1 + 0.2, 0.3]), keys.__getitem__)

    assert order.tolist() == [1, 2, 0]


def test_exact_keys_are_asked_for_in_runs_only() -> None:
    """Where floats decide, nothing is computed exactly."""
    asked = []

    def exact_key(i: int) -> Fraction:
        asked.append(i)
        return Fraction(i)

    assert exact_argsort(np.array([3.0, 1.0, 2.0, 1.0]), exact_key).tolist() == [1, 3, 2, 0]
    assert sorted(asked) == [1, 3]
    assert exact_argsort(np.array([]), exact_key).tolist() == []


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(-2, 2)), max_size=12))
def test_order_of_fractions(parts: list[tuple[int, int, int]]) -> None:
    """The order is that of the fractions, ties by position, however near they are."""
    keys = [Fraction(a, b) * (1 + Fraction(c, 10**18)) for a, b, c in parts]

    order = exact_argsort(np.array([float(key) for key in keys]), keys.__getitem__)

    assert order.tolist() == sorted(range(len(keys)), key=lambda i: (keys[i], i))


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (0, 3, "0"),
        (1234.5, 2, "1200"),
        (0.0012345, 3, "0.00123"),
        (-0.0012355, 4, "-0.001236"),
        (9.996, 3, "10"),
        (2.5, 1, "2"),
        (Fraction(2, 3), 5, "0.66667"),
        (1000, 1, "1000"),
        (0.001, 1, "0.001"),
    ],
)
def test_significant(value: float | Fraction, digits: int, expected: str) -> None:
    """So many digits, halves to even, no exponent."""
    assert str(significant(value, digits)) == expected


@pytest.mark.parametrize(
    ("value", "places", "expected"),
    [
        (2.675, 2, "2.68"),  # by its shortest decimal, not by 2.67499...
        (Decimal("2.675"), 2, "2.68"),
        (Decimal("2.665"), 2, "2.66"),
        (1234, -2, "1200"),
        (0.0, 3, "0"),
        (-0.04, 1, "0"),
        (Fraction(1, 3), 4, "0.3333"),
        (100, 3, "100"),
    ],
)
def test_rounded(value: float | Fraction | Decimal, places: int, expected: str) -> None:
    """So many places, halves to even, no exponent and no zeros at the end."""
    assert str(rounded(value, places)) == expected


@given(st.fractions(-1000, 1000), st.integers(0, 8))
def test_rounded_is_near(value: Fraction, places: int) -> None:
    """What is rounded off is half a unit at most."""
    assert abs(Fraction(rounded(value, places)) - value) <= Fraction(1, 2 * 10**places)


def grid(memory: list[str], block: str, cache: str, blocks: int) -> MemoryGrid:
    return MemoryGrid.of([Decimal(m) for m in memory], Decimal(block), Decimal(cache), blocks)


def test_floor_of_three_less_two_point_seven() -> None:
    """floor((3 - 2.7) / 0.1) is 3, which floats make 2."""
    assert floor((3 - 2.7) / 0.1) == 2
    assert grid(["3"], "2.7", "0.1", 1).slots(np.array([1])).tolist() == [3]


def test_slots_of_bloom() -> None:
    """Of the slot counts of BLOOM-176B on 1 to 80 GB floats get 103 of 2416 wrong, and 195 with `//`."""
    memory, sizes = range(1, 81), range(1, 71)
    bloom = grid([str(m) for m in memory], "1.32", "0.11", 70)
    cases = wrong = wrong_by_division = 0
    for size in sizes:
        slots = bloom.slots(np.full(80, size))
        for m, found in zip(memory, slots.tolist(), strict=True):
            assert found == (100 * m - 132 * size) // 11
            if found >= 0:
                cases += 1
                wrong += found != floor((m - 1.32 * size) / 0.11)
                wrong_by_division += found != (m - 1.32 * size) // 0.11
    assert (cases, wrong, wrong_by_division) == (2416, 103, 195)


def test_reservations_of_bloom() -> None:
    """On servers of 20 and 40 GB only 25 of the 351 cache reservations differ in the blocks that servers host."""
    bloom = grid(["40", "20"], "1.32", "0.11", 70)

    assert bloom.largest_reservation() == 351  # (40 - 1.32) / 0.11 = 351.6
    after_10 = (12, 13, 15, 18, 21, 24, 28, 33, 39, 48, 60, 78, 109, 169, 351)
    assert bloom.reservations().tolist() == [*range(1, 11), *after_10]
    assert bloom.sizes(7).tolist() == [19, 9]


def grids() -> st.SearchStrategy[tuple[list[Decimal], Decimal, Decimal, int]]:
    positive = st.decimals("0.01", "3", places=2)
    return st.tuples(
        st.lists(st.decimals("0", "20", places=2), min_size=1, max_size=3), positive, positive, st.integers(1, 8)
    )


@settings(deadline=None, max_examples=100)
@given(grids(), st.integers(1, 9), st.integers(0, 8))
def test_floors(case: tuple[list[Decimal], Decimal, Decimal, int], reservation: int, size: int) -> None:
    """Sizes, slots and the largest reservation are the floors of fractions."""
    memory, block, cache, blocks = case
    found = MemoryGrid.of(memory, block, cache, blocks)
    s_m, s_c = Fraction(block), Fraction(cache)

    assert found.sizes(reservation).tolist() == [
        min(floor(Fraction(m) / (s_m + s_c * reservation)), blocks) for m in memory
    ]
    assert found.slots(np.full(len(memory), size)).tolist() == [
        floor((Fraction(m) - s_m * size) / s_c) if size else 0 for m in memory
    ]
    assert found.largest_reservation() == floor((Fraction(max(memory)) - s_m) / s_c)


@settings(deadline=None, max_examples=60)
@given(grids())
def test_reservations(case: tuple[list[Decimal], Decimal, Decimal, int]) -> None:
    """They are the c after which some server has room for fewer blocks, found by trying every c."""
    memory, block, cache, blocks = case
    found = MemoryGrid.of(memory, block, cache, blocks)
    s_m, s_c = Fraction(block), Fraction(cache)

    def sizes(c: int) -> list[int]:
        return [min(floor(Fraction(m) / (s_m + s_c * c)), blocks) for m in memory]

    last = max(floor((Fraction(max(memory)) - s_m) / s_c), 0)
    vectors = [sizes(c) for c in range(1, last + 3)]
    expected = [c for c, (now, after) in enumerate(pairwise(vectors), 1) if now != after]
    assert found.reservations().tolist() == expected


def test_memory_beyond_int64() -> None:
    """Where units of the last decimal overflow int64 the grid counts in Python's integers, with the same floors."""
    memory, block, cache = ["1000000000", "80.000000000000001", "0"], "1.320000000000000000001", "0.11"
    found = grid(memory, block, cache, 70)

    assert found.free.dtype == object
    s_m, s_c = Fraction(block), Fraction(cache)
    assert found.sizes(3).tolist() == [min(floor(Fraction(m) / (s_m + 3 * s_c)), 70) for m in memory]
    assert found.sizes(3).dtype == found.slots(np.array([1, 2, 0])).dtype == np.int64
    assert found.slots(np.array([70, 60, 0])).tolist() == [
        floor((Fraction(memory[0]) - 70 * s_m) / s_c),
        floor((Fraction(memory[1]) - 60 * s_m) / s_c),
        0,
    ]
    assert found.largest_reservation() == floor((10**9 - s_m) / s_c)
    ends = {floor((Fraction(m) - s_m * n) / (s_c * n)) for m in memory for n in range(1, 71)}
    assert found.reservations().tolist() == sorted(c for c in ends if c >= 1)


def test_reserve_is_taken_off() -> None:
    """Memory that is not ours hosts nothing."""
    instance = Instance(
        name="reserve",
        service=Service(blocks=3, block_gb=1, cache_gb=0.1),
        workload=Workload(arrival_rate=1),
        servers=[Server(id="s", memory_gb=2.4, reserve_gb=0.3, comm_s=1, comp_s_per_block=0)],
    )

    assert instance.memory.slots(np.array([1])).tolist() == [11]
    assert instance.memory.sizes(1).tolist() == [1]  # 2.1 / 1.1
    assert instance.memory.sizes(0).tolist() == [2]


def test_ticks_are_exact() -> None:
    """Times are counted in the finest decimal that the file has."""
    found = TimeGrid.of([Decimal("0.5"), Decimal(2)], [Decimal("0.125"), Decimal(0)], 70)

    assert (found.comm.tolist(), found.comp.tolist(), found.places) == ([500, 2000], [125, 0], 3)
    assert found.seconds(np.array([1, 625])).tolist() == [0.001, 0.625]


def test_ticks_are_as_fine_as_int64_allows() -> None:
    """Where the longest chain would overflow, places are given up, one by one, and no time is off by more than half."""
    comm, comp = Decimal("0.1234567890123456789"), Decimal("0.9876543210987654321")
    found = TimeGrid.of([comm], [comp], 70)

    # 70 · 1.11 s is 77.8 s, so 10^-16 s is the finest tick with less than 2^60 = 1.15 · 10^18 of them
    assert found.places == 16
    assert found.comm.tolist() == [1234567890123457]
    assert found.comp.tolist() == [9876543210987654]
