"""GPUs, MIG slices, and how cards are cut."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations_with_replacement

import pytest

from chainopt import catalog
from chainopt.errors import FormatError

D = Decimal
GIB, MIB = 2**30, 2**20
# nominal bytes, GB/s, dense TFLOPS
CARDS = {
    "A100-SXM-80GB": (85_899_345_920, 2039, "312"),
    "A100-PCIe-80GB": (80 * GIB, 1935, "312"),
    "A100-SXM-40GB": (40 * GIB, 1555, "312"),
    "A100-PCIe-40GB": (40 * GIB, 1555, "312"),
    "A30": (24 * GIB, 933, "165"),
    "H100-SXM-80GB": (80 * GIB, 3350, "989"),
    "H100-PCIe-80GB": (80 * GIB, 2000, "756.5"),
    "H200-SXM-141GB": (151_397_597_184, 4800, "989"),
    "B200-SXM": (180 * GIB, 7700, "2250"),
    "B300-SXM": (275_040 * MIB, 7750, "2250"),
    "GB200": (189_471 * MIB, 8000, "2500"),
    "GB300": (284_208 * MIB, 8000, "2500"),
    "L4": (24 * GIB, 300, "121"),
    "L40S": (46_068 * MIB, 864, "362.05"),
    "L40": (48 * GIB, 864, "181"),
    "RTX-PRO-6000-Server": (97_887 * MIB, 1792, "467.8"),
    "A40": (48 * GIB, "695.8", "149.7"),
    "A10": (24 * GIB, 600, "125"),
    "A10G": (24 * GIB, 600, "62.5"),
    "RTX-A6000": (48 * GIB, 768, "154.8"),
    "RTX-3090": (24 * GIB, 936, "71"),
    "RTX-4090": (24 * GIB, 1008, "165.2"),
    "RTX-5090": (32 * GIB, 1792, "209.5"),
    "V100-32GB": (32 * GIB, 900, "125"),
    "V100-16GB": (16 * GIB, 900, "125"),
    "T4": (16 * GIB, 320, "65"),
    "MI300X": (192 * GIB, 5300, "1307"),
    "MI325X": (256 * GIB, 6000, "1307"),
    "MI250X": (128 * GIB, 3200, "383"),
    "Arc-Pro-B60": (24 * GIB, 456, "98.3"),
    "M2-Ultra-192GB": (192 * GIB, 800, "53.96"),
    "M3-Ultra-512GB": (512 * GIB, 819, "57.34"),
    "M4-Max-128GB": (128 * GIB, 546, "34.08"),
    "paper-high": (40 * 10**9, 1020, "120"),
    "paper-low": (20 * 10**9, 510, "80"),
    "paper-code-high": (40 * 10**9, 1020, "156"),
    "paper-code-low": (20 * 10**9, 510, "78"),
}
# usable GiB, GB/s and TFLOPS to the digits of the table
A100_SLICES = {
    "1g.10gb": ("9.5", 255, "40.4"),
    "1g.20gb": ("19.5", 510, "40.4"),
    "2g.20gb": ("19.5", 510, "80.9"),
    "3g.40gb": ("39.25", 1020, "121.3"),
    "4g.40gb": ("39.25", 1020, "161.8"),
    "7g.80gb": ("78.75", 2039, "283.1"),
}
# where the driver lets a slice start, in memory slices, and how many it then takes
STARTS = {
    "1g.10gb": ((0, 1, 2, 3, 4, 5, 6), 1),
    "1g.20gb": ((0, 2, 4, 6), 2),
    "2g.20gb": ((0, 2, 4), 2),
    "3g.40gb": ((0, 4), 4),
    "4g.40gb": ((0,), 4),
    "7g.80gb": ((0,), 8),
}
MIG_CARDS = {gpu.card for gpu in catalog.gpus() if gpu.card is not None}


@pytest.mark.parametrize("name", CARDS)
def test_cards(name: str) -> None:
    """Memory, bandwidth and rate of every card."""
    gpu = catalog.gpu(name)
    memory, bandwidth, tflops = CARDS[name]
    assert (gpu.memory_bytes, gpu.bandwidth_gb_s, gpu.tflops) == (memory, D(bandwidth), D(tflops))
    assert gpu.card is None
    assert gpu.profile is None


def test_every_card_is_tested() -> None:
    """The table above is complete."""
    assert {gpu.name for gpu in catalog.gpus() if gpu.card is None} == set(CARDS)


@pytest.mark.parametrize("gpu", catalog.gpus(), ids=lambda gpu: gpu.name)
def test_gpus_make_sense(gpu: catalog.Gpu) -> None:
    """A GPU has a source, no more usable memory than nominal, and is found whatever the case."""
    assert 0.7 * gpu.memory_bytes < gpu.usable_bytes <= gpu.memory_bytes
    assert gpu.source
    assert gpu.confidence in ("high", "low")
    assert "from memory" not in gpu.source or gpu.confidence == "low"
    assert catalog.gpu(gpu.name.lower()) == gpu


@pytest.mark.parametrize("profile", A100_SLICES)
def test_slices_of_the_a100(profile: str) -> None:
    """The slices of the paper's testbed, to the digits of the table."""
    gpu = catalog.gpu(f"A100-SXM-80GB:{profile}")
    usable, bandwidth, tflops = A100_SLICES[profile]
    assert gpu.usable_bytes == D(usable) * GIB
    assert round(gpu.bandwidth_gb_s) == bandwidth
    assert round(gpu.tflops, 1) == D(tflops)
    assert gpu.profile == profile


def test_nominal_and_usable_memory() -> None:
    """A 3g.40gb has 40 GiB by name, 39.25 GiB in fact, and neither is 40 GB."""
    gpu = catalog.gpu("A100-SXM-80GB:3g.40gb")
    assert catalog.memory_gb(gpu, nominal=True) == D("42.949672960")
    assert catalog.memory_gb(gpu) == D("42.144366592")
    assert catalog.memory_gb(catalog.gpu("paper-high")) == 40


def test_traps_of_data_sheets() -> None:
    """Dense not sparse, tensor cores not shaders, FP32 accumulation, the 40 GB card's own bandwidth."""
    assert catalog.gpu("L4").tflops == D(242) / 2
    assert catalog.gpu("L40S").tflops < 400
    assert catalog.gpu("RTX-4090").tflops == D("82.6") * 2
    assert catalog.gpu("RTX-5090").tflops == D(838) / 4
    assert catalog.gpu("A100-PCIe-40GB").bandwidth_gb_s < catalog.gpu("A100-PCIe-80GB").bandwidth_gb_s
    assert {gpu.name for gpu in catalog.gpus() if not gpu.bf16} == {"V100-32GB", "V100-16GB", "T4"}


def test_unknown_gpu_names_the_closest() -> None:
    """A part of a name is answered with the names that have it."""
    with pytest.raises(FormatError, match=r"no GPU is named 'A100'; did you mean A100-SXM-80GB, A100-SXM-40GB"):
        catalog.gpu("A100")
    with pytest.raises(FormatError, match=r"did you mean H100-SXM-80GB:3g\.40gb"):
        catalog.gpu("H100-SXM-80GB:3g.40g")


@pytest.mark.parametrize("card", sorted(MIG_CARDS))
def test_slices_share_their_card(card: str) -> None:
    """A slice is named after its memory, and the shares of every cut fit the card."""
    whole = catalog.gpu(card)
    for each in catalog.profiles(card):
        assert each.card == card
        assert each.usable_bytes < each.memory_bytes <= whole.memory_bytes
        assert each.tflops <= whole.tflops
        compute, memory = str(each.profile).split("g.")
        assert each.compute_slices == int(compute)
        assert abs(each.memory_bytes / GIB - int(memory.removesuffix("gb"))) <= 0.5
    for cut in catalog.partitions(card, full=False):
        slices = catalog.partition(card, cut)
        assert sum(each.memory_bytes for each in slices) <= whole.memory_bytes
        assert sum(each.bandwidth_gb_s for each in slices) <= whole.bandwidth_gb_s
        assert sum(each.tflops for each in slices) <= whole.tflops * D("1.01")


def placeable(names: tuple[str, ...]) -> bool:
    """Whether slices have places on a card, tried one after the other."""

    def place(rest: tuple[str, ...], taken: frozenset[int]) -> bool:
        if not rest:
            return True
        starts, size = STARTS[rest[0]]
        ranges = [frozenset(range(start, start + size)) for start in starts]
        return any(not taken & each and place(rest[1:], taken | each) for each in ranges)

    return place(tuple(sorted(names, key=lambda name: -STARTS[name][1])), frozenset())


def test_partitions_are_those_that_have_places() -> None:
    """Counting slices gives exactly the cuts that the driver's places allow."""
    by_places = {
        tuple(sorted(names))
        for size in range(1, 8)
        for names in combinations_with_replacement(sorted(STARTS), size)
        if placeable(names)
    }
    by_number = {tuple(sorted(cut)) for cut in catalog.partitions("A100-SXM-80GB", full=False)}
    assert by_number == by_places


def test_full_partitions() -> None:
    """Full cuts are the cuts with no room for a further slice; all of the A30's by hand."""
    assert catalog.partitions("A30") == (
        ("4g.24gb",),
        ("2g.12gb", "2g.12gb"),
        ("2g.12gb", "1g.6gb", "1g.6gb"),
        ("1g.6gb", "1g.6gb", "1g.6gb", "1g.6gb"),
    )
    cuts = {tuple(sorted(cut)) for cut in catalog.partitions("A100-SXM-80GB", full=False)}
    extensible = {cut for cut in cuts if any(tuple(sorted((*cut, more))) in cuts for more in STARTS)}
    assert {tuple(sorted(cut)) for cut in catalog.partitions("A100-SXM-80GB")} == cuts - extensible


@pytest.mark.parametrize(
    "names",
    [
        ["3g.40gb", "2g.20gb", "2g.20gb"],
        ["2g.20gb", "2g.20gb", "2g.20gb", "1g.10gb"],
        ["3g.40gb", "3g.40gb"],
        ["4g.40gb", "3g.40gb"],
        ["2g.20gb", "4g.40gb"],
    ],
)
def test_valid_partition(names: list[str]) -> None:
    """The slices come in the order asked for; the first is a card of the paper's testbed."""
    assert [each.profile for each in catalog.partition("a100-sxm-80gb", names)] == names


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["4g.40gb", "4g.40gb"], "4g.40gb [+] 4g.40gb takes 8 compute slices, expected at most the 7"),
        (["3g.40gb", "3g.40gb", "1g.10gb"], "takes 9 memory slices, expected at most the 8 of A100-SXM-80GB"),
        (["7g.80gb", "1g.10gb"], "takes 8 compute slices"),
        (["3g.40gb", "2g.10gb"], "no MIG profile of A100-SXM-80GB is named '2g.10gb'; did you mean"),
    ],
)
def test_invalid_partition(names: list[str], message: str) -> None:
    """Slices that do not fit, or do not exist, are refused."""
    with pytest.raises(FormatError, match=message):
        catalog.partition("A100-SXM-80GB", names)


def test_card_without_mig() -> None:
    """A card without MIG has no profiles and no partitions."""
    assert catalog.profiles("L4") == ()
    for asked in (lambda: catalog.partitions("L4"), lambda: catalog.partition("L4", [])):
        with pytest.raises(FormatError, match="L4 cannot be cut into MIG slices"):
            asked()
