"""How much memory a block takes, and a job at a block. Exact: GB = 10^9 bytes, as decimals."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from chainopt.catalog.precisions import Precision, precision
from chainopt.errors import FormatError
from chainopt.model.record import shown
from chainopt.quantity import exact, rounded

if TYPE_CHECKING:
    from decimal import Decimal

    from chainopt.catalog.blocks import Block
    from chainopt.catalog.gpus import Gpu
    from chainopt.catalog.models import Model

GB = 10**9
GIB = 2**30
_EXACT_PLACES = 24


def block_gb(model: Model, weights: str | Precision | None = None) -> Decimal:
    """s_m: memory of the largest block, GB = params · bits / 8 · (1 + overhead) / 10^9.

    The placement problem knows one size of blocks. Where a model's blocks differ, the largest is the size with which
    no server is ever overfilled; :func:`block_sizes_gb` has them all.

    Parameters
    ----------
    weights
        Number format of the weights; that of the published weights by default.
    """
    return max(block_sizes_gb(model, weights))


def block_sizes_gb(model: Model, weights: str | Precision | None = None) -> tuple[Decimal, ...]:
    """Memory of each block, GB."""
    width = stored_as(model, weights).bytes_per_param
    return tuple(in_gb(params * width) for params in model.block_params)


def blocks_gb(model: Model, weights: str | Precision | None = None) -> Decimal:
    """Memory of all blocks together, GB: at most L · :func:`block_gb`, and less where the blocks differ."""
    return in_gb(sum(model.block_params) * stored_as(model, weights).bytes_per_param)


def ends_gb(model: Model, weights: str | Precision = "bf16") -> tuple[Decimal, Decimal]:
    """Memory, GB, of what comes before the first block and of what comes after the last one.

    Embeddings, final norm and output matrix are in no block. PETALS' clients hold them; other engines put them on
    the first and on the last server of a chain, where they are to be taken off the memory. An output matrix that is
    tied to the embedding counts at both ends, as the two servers differ.

    Parameters
    ----------
    weights
        Their number format, which stays at 16 bits in most quantised models.
    """
    width = precision(weights).bytes_per_param
    layout = model.layout
    return in_gb(layout.first_params * width), in_gb((layout.last_params + layout.tied_params) * width)


def cache_gb(model: Model, tokens: int, *, kv_bytes: int = 2, latent: bool = True, sliding: bool = True) -> Decimal:
    """s_c: memory that a job takes at a block, GB = KV elements · kv_bytes · tokens / 10^9; the most of all blocks.

    Parameters
    ----------
    tokens
        Most tokens of a job, in and out.
    kv_bytes
        Bytes of a cached number: 2 for FP16 and BF16, 1 for FP8.
    latent
        Whether the engine caches the latent of multi-head latent attention, or the keys and values made from it.
    sliding
        Whether the engine drops what has left a block's sliding window, so that tokens count up to the window.
    """
    return max(cache_sizes_gb(model, tokens, kv_bytes=kv_bytes, latent=latent, sliding=sliding))


def cache_sizes_gb(
    model: Model, tokens: int, *, kv_bytes: int = 2, latent: bool = True, sliding: bool = True
) -> tuple[Decimal, ...]:
    """Memory that a job takes at each block, GB; see :func:`cache_gb`."""
    check_count("tokens", tokens)
    check_count("kv_bytes", kv_bytes)
    return tuple(
        in_gb(Fraction(cached_elements(block, latent) * kv_bytes * (seen(block, tokens) if sliding else tokens)))
        for block in model.blocks
    )


def memory_gb(gpu: Gpu, *, nominal: bool = False) -> Decimal:
    """M: memory of a GPU, GB.

    Parameters
    ----------
    nominal
        The memory that the data sheet states, rather than what a program can get.
    """
    return in_gb(Fraction(gpu.memory_bytes if nominal else gpu.usable_bytes))


def gib_in_gb(gib: float | Decimal) -> Decimal:
    """GiB = 2^30 bytes, in GB = 10^9 bytes; for reserves, which engines state in GiB."""
    return in_gb(Fraction(exact(gib)) * GIB)


def stored_as(model: Model, weights: str | Precision | None) -> Precision:
    """The number format asked for, else that of the published weights."""
    return model.precision if weights is None else precision(weights)


def cached_elements(block: Block, latent: bool) -> int:
    """Numbers that a block caches for each token."""
    if latent or block.expanded_kv_elements is None:
        return block.kv_elements
    return block.expanded_kv_elements


def seen(block: Block, tokens: int) -> int:
    """min(tokens, window)."""
    return tokens if block.window is None else min(tokens, block.window)


def in_gb(amount: Fraction) -> Decimal:
    """Bytes as GB, exactly."""
    decimal = rounded(amount / GB, _EXACT_PLACES)
    assert Fraction(decimal) == amount / GB, "sizes are finite decimals"
    return decimal


def check_count(name: str, value: int) -> None:
    """Raise unless a count is a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise FormatError(f"expected a positive integer, got {shown(value)}", path=name)
