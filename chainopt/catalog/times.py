"""How long a job computes at a block, and how long it communicates with a server.

Computed in rationals from the decimals of the catalogue and rounded once, at the end: computation to 10^-9 s,
communication to 10^-6 s.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from chainopt.catalog.sizes import GB, cached_elements, check_count, seen, stored_as
from chainopt.errors import FormatError
from chainopt.model.record import shown
from chainopt.quantity import exact, rounded

if TYPE_CHECKING:
    from decimal import Decimal

    from chainopt.catalog.blocks import Block
    from chainopt.catalog.gpus import Gpu
    from chainopt.catalog.models import Model
    from chainopt.catalog.precisions import Precision

COMP_PLACES = 9
COMM_PLACES = 6
PAPER_OVERHEAD_S = 0.001
"""t_o, seconds of a job at a block besides computing and reading."""
PAPER_EXCHANGE_OVERHEAD_MS = 18
"""Milliseconds of every exchange with a server besides the round trip."""


def comp_s_per_block(
    model: Model,
    gpu: Gpu,
    tokens_in: int,
    tokens_out: int,
    *,
    weights: str | Precision | None = None,
    overhead_s: float | Decimal = PAPER_OVERHEAD_S,
    compute_efficiency: float | Decimal = 1,
    memory_efficiency: float | Decimal = 1,
    batch: int = 1,
    attention: bool = False,
    kv_bytes: int = 2,
    latent: bool = True,
) -> Decimal:
    """τ^p: seconds that a job computes at a block: see :func:`roofline_s`; the most of all blocks.

    F = 2 · (parameters of the block that a token uses) FLOP, twice since each takes a multiplication and an addition.
    Bytes = (parameters of the block that a step reads) · bits / 8 · (1 + overhead).

    Parameters
    ----------
    weights
        Number format of the weights; that of the published weights by default. It changes how much is read, not how
        fast the GPU computes.
    overhead_s
        t_o.
    compute_efficiency, memory_efficiency
        Share of the peaks that is reached; 1, as in the paper, is more than any engine does.
    batch
        Jobs that decode together. A step of one job reads the experts that its token uses; of b jobs, E (1 - (1 -
        top_k / E)^b) experts in the mean. The others have no say: a step is not shared out between its jobs.
    attention
        Count the attention to the context too, which the paper leaves out and which matters for long ones: the
        FLOP of the prompt, 2 a (d_k + d_v) for each pair of tokens, and the cache read in each step.
    kv_bytes, latent
        How the cache is stored, as in :func:`chainopt.catalog.sizes.cache_gb`; only with `attention`.
    """
    check_count("tokens_in", tokens_in)
    check_count("tokens_out", tokens_out)
    width = stored_as(model, weights).bytes_per_param

    def seconds(block: Block) -> Fraction:
        flop = Fraction(2 * block.active_params * tokens_in)
        read = read_params(block, batch) * width * (tokens_out - 1)
        if attention:
            flop += 2 * block.score_width * pairs(block, tokens_in)
            contexts = pairs(block, tokens_in + tokens_out - 1) - pairs(block, tokens_in)
            read += cached_elements(block, latent) * kv_bytes * contexts
        return _seconds(flop, read, gpu, overhead_s, compute_efficiency, memory_efficiency)

    return rounded(max(seconds(block) for block in set(model.blocks)), COMP_PLACES)


def roofline_s(
    flop_per_token: float | Decimal,
    step_gb: float | Decimal,
    gpu: Gpu,
    tokens_in: int,
    tokens_out: int,
    *,
    overhead_s: float | Decimal = PAPER_OVERHEAD_S,
    compute_efficiency: float | Decimal = 1,
    memory_efficiency: float | Decimal = 1,
) -> Decimal:
    """τ^p = t_o + F / TFLOPS · l_in + s_m / BW · (l_out - 1), seconds.

    The prompt is bound by computing, F FLOP a token at TFLOPS · 10^12 a second; it yields the first token out. Each
    further one is bound by reading the weights, `step_gb` at BW · 10^9 bytes a second.
    """
    check_count("tokens_in", tokens_in)
    check_count("tokens_out", tokens_out)
    flop = Fraction(exact(flop_per_token)) * tokens_in
    read = Fraction(exact(step_gb)) * GB * (tokens_out - 1)
    seconds = _seconds(flop, read, gpu, overhead_s, compute_efficiency, memory_efficiency)
    return rounded(seconds, COMP_PLACES)


def comm_s(
    rtt_ms: float | Decimal,
    tokens_out: int,
    *,
    overhead_ms: float | Decimal = PAPER_EXCHANGE_OVERHEAD_MS,
    prompt_overhead_ms: float | Decimal | None = None,
) -> Decimal:
    """τ^c = ((RTT + prompt overhead) + (l_out - 1) (RTT + overhead)) / 1000, seconds.

    One exchange with the server for the prompt, which yields the first token, and one for each further token.

    Parameters
    ----------
    overhead_ms
        Milliseconds of an exchange besides the round trip; the paper's 18 by default. Its authors' simulator takes
        0, and 50 for the prompt.
    prompt_overhead_ms
        The same for the prompt; as `overhead_ms` by default.
    """
    check_count("tokens_out", tokens_out)
    rtt = _amount("rtt_ms", rtt_ms)
    overhead = _amount("overhead_ms", overhead_ms)
    prompt = overhead if prompt_overhead_ms is None else _amount("prompt_overhead_ms", prompt_overhead_ms)
    return rounded(((rtt + prompt) + (tokens_out - 1) * (rtt + overhead)) / 1000, COMM_PLACES)


def flop_per_token(model: Model) -> int:
    """F: FLOP that a block takes for a token, without attention to the context; the most of all blocks."""
    return 2 * max(model.active_params)


def read_params(block: Block, batch: int = 1) -> Fraction:
    """Parameters that a step reads: all, but of E experts only E (1 - (1 - top_k / E)^batch), in the mean."""
    check_count("batch", batch)
    if not block.experts:
        return Fraction(block.params)
    idle = block.experts * (1 - Fraction(block.top_k, block.experts)) ** batch
    return block.params - idle * block.expert_params


def pairs(block: Block, tokens: int) -> int:
    """Pairs of a token of the prompt and one that it attends to: 1 + 2 + ... + tokens, each at most the window."""
    full = seen(block, tokens)
    return full * (full + 1) // 2 + (tokens - full) * full


def _seconds(
    flop: Fraction,
    read_bytes: Fraction,
    gpu: Gpu,
    overhead_s: float | Decimal,
    compute_efficiency: float | Decimal,
    memory_efficiency: float | Decimal,
) -> Fraction:
    """t_o + flop / (TFLOPS 10^12 compute_efficiency) + bytes / (BW 10^9 memory_efficiency)."""
    rate = Fraction(gpu.tflops) * 10**12 * _efficiency("compute_efficiency", compute_efficiency)
    bandwidth = Fraction(gpu.bandwidth_gb_s) * GB * _efficiency("memory_efficiency", memory_efficiency)
    return _amount("overhead_s", overhead_s) + flop / rate + read_bytes / bandwidth


def _amount(name: str, value: float | Decimal) -> Fraction:
    number = exact(value)
    if not number.is_finite() or number < 0:
        raise FormatError(f"expected 0 or a positive number, got {shown(value)}", path=name)
    return Fraction(number)


def _efficiency(name: str, value: float | Decimal) -> Fraction:
    number = exact(value)
    if not number.is_finite() or not 0 < number <= 1:
        raise FormatError(f"expected a number above 0 and at most 1, got {shown(value)}", path=name)
    return Fraction(number)
