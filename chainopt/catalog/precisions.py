"""Number formats of weights: how many bytes a parameter takes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from chainopt.catalog.lookup import find
from chainopt.model.record import shown

if TYPE_CHECKING:
    from chainopt.catalog.config import Config


@dataclass(frozen=True)
class Precision:
    """How weights are stored.

    Attributes
    ----------
    bits
        Bits for each parameter, scales and zero points included.
    overhead
        Share of memory on top, for buffers and for the parts that stay at 16 bits.
    """

    name: str
    bits: Fraction
    overhead: Fraction = Fraction(0)

    @property
    def bytes_per_param(self) -> Fraction:
        """Bytes: bits / 8 (1 + overhead)."""
        return self.bits / 8 * (1 + self.overhead)


PETALS_OVERHEAD = Fraction(1, 100)
PRECISIONS = {
    precision.name: precision
    for precision in (
        Precision("fp32", Fraction(32)),
        Precision("bf16", Fraction(16)),
        Precision("fp16", Fraction(16)),
        Precision("fp8", Fraction(8)),
        # PETALS: 8-bit, and NF4 with double quantisation counted as 4.25 bits; 1 % on top of both
        Precision("int8", Fraction(8), PETALS_OVERHEAD),
        Precision("nf4", Fraction(17, 4), PETALS_OVERHEAD),
        # a 16-bit scale and a 16-bit zero point for each group of 128
        Precision("int4", 4 + Fraction(32, 128)),
        # an 8-bit scale for each group of 32
        Precision("mxfp4", 4 + Fraction(8, 32)),
    )
}
"""By name."""

_TORCH = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "float8_e4m3fn": "fp8", "auto": "bf16"}


def precision(name: str | Precision) -> Precision:
    """The number format of that name.

    Raises
    ------
    FormatError
        If there is none.
    """
    return name if isinstance(name, Precision) else find(PRECISIONS, name, "precision")


def configured(config: Config) -> Precision:
    """The number format that a ``config.json`` states: of its quantization_config, else of its torch_dtype.

    bf16 where neither stands there.

    Raises
    ------
    FormatError
        If the quantisation or the type is of an unknown kind.
    """
    quantization = config.part("quantization_config")
    if quantization is not None:
        return _quantized(quantization)
    dtype = config.text("torch_dtype", "dtype") or "auto"
    name = _TORCH.get(dtype.removeprefix("torch."))
    if name is None:
        key, _ = config.get("torch_dtype", "dtype")
        raise config.error(key, f"expected one of {', '.join(_TORCH)}, got {shown(dtype)}")
    return PRECISIONS[name]


def _quantized(config: Config) -> Precision:
    method = config.text("quant_method")
    if method is None and config.get("load_in_4bit", "load_in_8bit")[1] is not None:
        method = "bitsandbytes"
    match method:
        case "fp8" | "fbgemm_fp8":
            return PRECISIONS["fp8"]
        case "mxfp4":
            return PRECISIONS["mxfp4"]
        case "bitsandbytes":
            if config.flag("load_in_4bit", False):
                return PRECISIONS["nf4"]
            if config.flag("load_in_8bit", False):
                return PRECISIONS["int8"]
            raise config.error("load_in_4bit", "expected load_in_4bit or load_in_8bit to be true")
        case "awq" | "gptq":
            return _grouped(config, config.size("bits", "w_bit", default=4), config.get("group_size", "q_group_size"))
        case "compressed-tensors":
            return _compressed(config)
        case _:
            known = "awq, bitsandbytes, compressed-tensors, fbgemm_fp8, fp8, gptq, mxfp4"
            raise config.error(
                "quant_method", f"expected one of {known}, got {shown(method)}; or state the precision yourself"
            )


def _grouped(config: Config, bits: int, group: tuple[str, Any]) -> Precision:
    """`bits`, and a 16-bit scale and zero point for each group; group size -1 is one group a row, which is free."""
    if bits not in (2, 3, 4, 8):
        raise config.error("bits", f"expected 2, 3, 4 or 8, got {bits}")
    key, size = group
    size = 128 if size is None else size
    if size == -1:
        return Precision(f"int{bits}", Fraction(bits))
    if not isinstance(size, int) or isinstance(size, bool) or size < 1 or size & (size - 1):
        raise config.error(key, f"expected -1 or a power of two, got {shown(size)}")
    return Precision(f"int{bits}-g{size}", bits + Fraction(32, size))


def _compressed(config: Config) -> Precision:
    """The widest of the groups of a compressed-tensors configuration."""
    groups = config.part("config_groups")
    names = list(groups.values) if groups is not None else []
    found = []
    for name in names:
        assert groups is not None
        group = groups.part(name)
        weights = group.part("weights") if group is not None else None
        if weights is None:
            continue
        bits = weights.size("num_bits")
        if bits == 8:
            found.append(PRECISIONS["fp8" if weights.text("type") == "float" else "int8"])
        else:
            found.append(_grouped(weights, bits, weights.get("group_size")))
    if not found:
        raise config.error("config_groups", "expected at least one group with weights")
    return max(found, key=lambda each: each.bytes_per_param)
