"""Memory and time of a job at a block, and the parts of an instance made of them."""

from __future__ import annotations

import doctest
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainopt import catalog
from chainopt.catalog.times import pairs, read_params
from chainopt.errors import FormatError

D = Decimal


def most_blocks(memory: int, block: Decimal, cache: Decimal, reservation: int, blocks: int) -> int:
    """m(c) = min(floor(M / (s_m + s_c c)), L), in rationals."""
    return min(Fraction(memory) // (Fraction(block) + Fraction(cache) * reservation), blocks)


@pytest.mark.parametrize(
    ("model", "weights", "tokens", "reservation", "expected"),
    [
        ("BLOOM-176B", "nf4", 2020, 1, [13, 27]),
        ("BLOOM-176B", "nf4", 2020, 2, [12, 25]),
        ("BLOOM-176B", "nf4", 2020, 7, [9, 18]),
        ("Llama-2-7B", "fp16", 2048, 35, [12, 25]),
        ("Llama-2-7B", "int8", 2048, 35, [14, 29]),
        ("Llama-2-7B", "nf4", 2048, 35, [15, 31]),
        ("Llama-2-7B", "nf4", 2048, 1, [32, 32]),
    ],
)
def test_most_blocks(model: str, weights: str, tokens: int, reservation: int, expected: list[int]) -> None:
    """How many blocks fit beside the caches, on 20 GB and on 40 GB."""
    known = catalog.model(model)
    block, cache = catalog.block_gb(known, weights), catalog.cache_gb(known, tokens)
    blocks = len(known.blocks)
    assert [most_blocks(memory, block, cache, reservation, blocks) for memory in (20, 40)] == expected


@pytest.mark.parametrize(
    ("block", "cache", "reservation", "expected"),
    [
        ("1.32", ".1158", 1, [13, 27]),
        ("1.32", ".1158", 2, [12, 25]),
        ("1.32", ".1158", 7, [9, 18]),
        ("1.32", ".11", 7, [9, 19]),
    ],
)
def test_most_blocks_with_the_papers_sizes(block: str, cache: str, reservation: int, expected: list[int]) -> None:
    """The same with the rounded sizes that the paper prints; its cache of .11 GB makes room for one block more."""
    assert [most_blocks(memory, D(block), D(cache), reservation, 70) for memory in (20, 40)] == expected


def test_sizes_are_exact() -> None:
    """Sizes are the exact decimals, whatever the number format."""
    bloom = catalog.model("BLOOM-176B")
    assert catalog.block_gb(bloom, "bf16") == D("4.932874240")
    assert catalog.block_gb(bloom, "nf4") == D(2_466_437_120) * D("0.5365625") / 10**9
    assert catalog.cache_gb(bloom, 2020) == D("0.115834880")
    assert catalog.cache_gb(bloom, 2020, kv_bytes=1) == D("0.057917440")
    for model in catalog.models():
        for weights in catalog.PRECISIONS.values():
            size = catalog.block_gb(model, weights)
            assert Fraction(size) * 10**9 == model.largest_block_params * weights.bytes_per_param


def test_reserve() -> None:
    """2 GiB are 2.147 GB."""
    assert catalog.gib_in_gb(2) == D("2.147483648")
    assert catalog.gib_in_gb(D("3.5")) == catalog.gib_in_gb(3.5) == D("3.758096384")


@pytest.mark.parametrize(
    ("gpu", "milliseconds"),
    [
        ("paper-high", "108.92"),
        ("paper-low", "175.18"),
        ("paper-code-high", "89.69"),
        ("paper-code-low", "178.38"),
        ("A100-SXM-80GB", "45.35"),
    ],
)
def test_computation_of_the_paper(gpu: str, milliseconds: str) -> None:
    """5 GFLOP a token, 1.32 GB a block, 2,000 tokens in and 20 out."""
    seconds = catalog.roofline_s(5 * 10**9, D("1.32"), catalog.gpu(gpu), 2000, 20)
    assert round(seconds * 1000, 2) == D(milliseconds)


def test_computation_of_a_model_is_its_roofline() -> None:
    """A model's time is the roofline of its FLOP and its bytes; BLOOM's block takes 4.93 GFLOP a token."""
    bloom, gpu = catalog.model("BLOOM-176B"), catalog.gpu("paper-high")
    assert catalog.flop_per_token(bloom) == 4_932_874_240
    of_model = catalog.comp_s_per_block(bloom, gpu, 2000, 20, weights="nf4")
    assert of_model == catalog.roofline_s(4_932_874_240, catalog.block_gb(bloom, "nf4"), gpu, 2000, 20)


def test_efficiencies_and_overhead() -> None:
    """Half the rate doubles the prompt's share, half the bandwidth that of the tokens out."""
    gpu = catalog.gpu("paper-high")
    prompt, decoding = D(10) / 120, D("1.32") / 1020 * 19

    def seconds(**options: Any) -> float:
        return float(catalog.roofline_s(5e9, D("1.32"), gpu, 2000, 20, **options))

    assert seconds(overhead_s=0) == pytest.approx(float(prompt + decoding), abs=1e-9)
    assert seconds(overhead_s=0, compute_efficiency=0.5) == pytest.approx(float(2 * prompt + decoding), abs=1e-9)
    assert seconds(overhead_s=0, memory_efficiency=0.5) == pytest.approx(float(prompt + 2 * decoding), abs=1e-9)
    assert seconds(overhead_s=D("0.25")) == pytest.approx(float(prompt + decoding) + 0.25, abs=1e-9)
    assert float(catalog.roofline_s(5e9, 1.32, gpu, 2000, 1, overhead_s=0)) == pytest.approx(float(prompt), abs=1e-9)


def test_times_are_rounded_once() -> None:
    """Computation to nanoseconds, communication to microseconds."""
    assert catalog.roofline_s(1, 0, catalog.gpu("paper-low"), 1, 1) == D("0.001")
    assert catalog.comm_s(D("12.3456789"), 1, overhead_ms=0) == D("0.012346")
    assert catalog.comm_s(np.float64(10.5), 20) == D("0.57")
    assert catalog.comm_s(0, 20, overhead_ms=0) == 0


def test_communication() -> None:
    """One exchange for the prompt, one for each token out but the first."""
    assert catalog.comm_s(30, 20) == D("0.96")
    assert catalog.comm_s(30, 20, overhead_ms=0) == D("0.6")
    assert catalog.comm_s(30, 20, overhead_ms=0, prompt_overhead_ms=50) == D("0.65")


def test_experts_read_in_a_step() -> None:
    """One job reads the experts of its token; many jobs read nearly all."""
    block = catalog.model("Mixtral-8x7B").blocks[0]
    expert = 3 * 4096 * 14336
    assert read_params(block, 1) == block.active_params
    assert read_params(block, 2) == block.params - 8 * Fraction(3, 4) ** 2 * expert
    assert block.params > read_params(block, 64) > block.params - expert
    dense = catalog.model("Llama-2-7B").blocks[0]
    assert read_params(dense, 64) == dense.params


def test_largest_time_of_unequal_blocks() -> None:
    """Where blocks differ, the slowest block's time stands for all."""
    model, gpu = catalog.model("DeepSeek-V2-Lite"), catalog.gpu("A100-SXM-80GB")
    alone = [catalog.Model("x", "x", catalog.Layout((block,), 0, 0), model.precision) for block in set(model.blocks)]
    times = [catalog.comp_s_per_block(each, gpu, 100, 10) for each in alone]
    assert catalog.comp_s_per_block(model, gpu, 100, 10) == max(times)
    assert len(set(times)) == 2


def test_attention_to_the_context() -> None:
    """With attention, the pairs of the prompt are computed and the cache is read for each further token."""
    model, gpu = catalog.model("Llama-2-7B"), catalog.gpu("A100-SXM-80GB")
    plain = catalog.comp_s_per_block(model, gpu, 3, 3)
    full = catalog.comp_s_per_block(model, gpu, 3, 3, attention=True)
    flop = 4 * 4096 * (1 + 2 + 3)
    read = 16384 * (4 + 5)
    expected = flop / 312e12 + read / 2039e9
    assert float(full - plain) == pytest.approx(expected, abs=1.1e-9)
    assert catalog.comp_s_per_block(model, gpu, 3, 1, attention=True) >= catalog.comp_s_per_block(model, gpu, 3, 1)


def test_pairs_within_a_window() -> None:
    """1 + 2 + 3 + 4, and 1 + 2 + 2 + 2 with a window of 2."""
    assert pairs(catalog.Block(1, 1, 1), 4) == 10
    assert pairs(catalog.Block(1, 1, 1, window=2), 4) == 7


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda: catalog.cache_gb(catalog.model("Falcon-7B"), 0), "tokens"),
        (lambda: catalog.cache_gb(catalog.model("Falcon-7B"), True), "tokens"),
        (lambda: catalog.cache_gb(catalog.model("Falcon-7B"), 9, kv_bytes=0), "kv_bytes"),
        (lambda: catalog.comm_s(-1, 20), "rtt_ms"),
        (lambda: catalog.comm_s(float("nan"), 20), "rtt_ms"),
        (lambda: catalog.comm_s(1, 0), "tokens_out"),
        (lambda: catalog.comm_s(1, 1, overhead_ms=float("inf")), "overhead_ms"),
        (lambda: catalog.comm_s(1, 1, prompt_overhead_ms=-1), "prompt_overhead_ms"),
        (lambda: catalog.roofline_s(1, 1, catalog.gpu("A30"), 0, 1), "tokens_in"),
        (lambda: catalog.roofline_s(1, 1, catalog.gpu("A30"), 1, 1, compute_efficiency=0), "compute_efficiency"),
        (lambda: catalog.roofline_s(1, 1, catalog.gpu("A30"), 1, 1, memory_efficiency=1.1), "memory_efficiency"),
        (lambda: catalog.roofline_s(1, 1, catalog.gpu("A30"), 1, 1, memory_efficiency=float("nan")), None),
        (lambda: catalog.comp_s_per_block(catalog.model("Falcon-7B"), catalog.gpu("A30"), 1, 1, batch=0), "batch"),
    ],
)
def test_bad_arguments(call: Any, path: str | None) -> None:
    """Counts are positive, times not negative, efficiencies above 0 and at most 1."""
    with pytest.raises(FormatError, match="expected") as caught:
        call()
    assert caught.value.path == path or path is None


def test_parts_of_an_instance() -> None:
    """A service and a server carry the numbers of the functions, under the same assumptions."""
    model, gpu = catalog.model("BLOOM-176B"), catalog.gpu("A100-SXM-80GB:3g.40gb")
    assume = catalog.Assumptions(weights="nf4", reserve_gib=2, overhead_ms=0, prompt_overhead_ms=50)
    service = catalog.service(model, 2020, assume)
    assert (service.blocks, service.block_gb) == (70, catalog.block_gb(model, "nf4"))
    assert service.cache_gb == D("0.115834880")
    server = catalog.server("a", model, gpu, 20, 2000, 20, assume)
    assert server.memory_gb == catalog.memory_gb(gpu)
    assert server.reserve_gb == D("2.147483648")
    assert server.comm_s == D("0.45")
    assert server.comp_s_per_block == catalog.comp_s_per_block(model, gpu, 2000, 20, weights="nf4")
    assert server.tags == {"gpu": "A100-SXM-80GB:3g.40gb", "rtt_ms": 20}
    plain = catalog.server("b", model, gpu, 20, 2000, 20)
    assert (plain.reserve_gb, plain.comm_s) == (0, D("0.76"))
    assert catalog.service(model, 2020).block_gb == catalog.block_gb(model, "bf16")


def test_examples_of_the_package() -> None:
    """The examples of the package's docstring are true."""
    result = doctest.testmod(catalog)
    assert (result.failed, result.attempted) == (0, 6)


def test_example_of_the_documentation() -> None:
    """The example of the page on the catalogue runs."""
    page = (Path(__file__).parents[2] / "docs" / "catalog.md").read_text(encoding="utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(example, names)
    assert names["service"].blocks == 70
    assert names["server"].memory_gb == D("42.144366592")
