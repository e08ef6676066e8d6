"""The pace of jobs that differ in their tokens: D = 3 demands, which are 1, tokens in, and decode steps.

A decode step makes a token out. The first one comes with the prompt, so a job of l_out tokens takes l_out - 1 steps. An
instance has only the times of its mean job; these are kept and split into what goes with each demand.

Communication is one exchange for the prompt and one for each decode step, as in :func:`chainopt.catalog.comm_s`.
Computation is a fixed time, a time for each token in, bound by computing, and a time for each decode step, bound by
reading the weights, as in :func:`chainopt.catalog.comp_s_per_block`.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chainopt import catalog
from chainopt.catalog.times import PAPER_OVERHEAD_S
from chainopt.errors import FormatError
from chainopt.generate import slices
from chainopt.model.record import shown
from chainopt.simulation.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainopt.model.instance import Instance, Server, Service

    _SplitOf = Callable[[int, Server, float], "_Split"]


class _Split(NamedTuple):
    """Seconds of a block for each token in and for each decode step."""

    token_s: float
    step_s: float

    def seconds(self, tokens_in: float, steps: float) -> float:
        return self.token_s * tokens_in + self.step_s * steps


def token_pace(
    instance: Instance,
    tokens_in: float,
    tokens_out: float,
    *,
    prefill_share: float | None = None,
    overhead_s: float = PAPER_OVERHEAD_S,
    prompt_extra_s: float = 0,
) -> Pace:
    """Seconds for each job, each token in and each decode step; the mean job takes what the instance says.

    Parameters
    ----------
    tokens_in, tokens_out
        Mean numbers of tokens, of which the times of the instance were made.
    prefill_share
        Share of the computation, but for `overhead_s`, that goes with the tokens in, at every server. By default, the
        computation is split as the catalogue would do it: with its model named ``service.name``, weights as large as
        ``block_gb`` says, and its GPU in the tag ``gpu``.
    overhead_s
        t_o, the fixed part of ``comp_s_per_block``.
    prompt_extra_s
        By how much the exchange of the prompt is longer than that of a step; the paper's authors have 0.05.

    Raises
    ------
    FormatError
        If a parameter does not fit, or a server cannot be looked up and no `prefill_share` is given.
    """
    _check("tokens_in", tokens_in, 1)
    _check("tokens_out", tokens_out, 1)
    _check("overhead_s", overhead_s, 0)
    _check("prompt_extra_s", prompt_extra_s, 0)
    steps = tokens_out - 1
    if prefill_share is None:
        split_of = _catalogue_split(instance, tokens_in, steps)
    else:
        split_of = _given_split(prefill_share, tokens_in, steps)
    hop, block = [], []
    for j, server in enumerate(instance.servers):
        exchange_s = _rest(j, server, "comm_s", "prompt_extra_s", prompt_extra_s) / tokens_out
        variable_s = _rest(j, server, "comp_s_per_block", "overhead_s", overhead_s)
        split = split_of(j, server, variable_s)
        scale = variable_s / split.seconds(tokens_in, steps)
        hop.append((exchange_s + prompt_extra_s, 0.0, exchange_s))
        block.append((overhead_s, scale * split.token_s, scale * split.step_s))
    return Pace(np.array(hop), np.array(block))


def _given_split(share: float, tokens_in: float, steps: float) -> _SplitOf:
    _check("prefill_share", share, 0, 1)
    if not steps and share < 1:
        message = "expected 1 if tokens_out is 1, as the mean job has no decode steps to take the rest"
        raise FormatError(f"{message}, got {shown(share)}", path="prefill_share")
    split = _Split(share / tokens_in, (1 - share) / steps if steps else 0.0)
    return lambda j, server, variable_s: split


def _catalogue_split(instance: Instance, tokens_in: float, steps: float) -> _SplitOf:
    rooflines = functools.cache(functools.partial(_rooflines, instance.service))

    def split(j: int, server: Server, variable_s: float) -> _Split:
        name = server.tags.get("gpu")
        known = rooflines(name) if isinstance(name, str) else ()
        if not known:
            raise FormatError(
                f"expected a GPU and a model of the catalogue to split the computation of {shown(server.id)} between "
                f"prompt and decode steps, got {shown(name)} and {shown(instance.service.name)}; or give prefill_share",
                path=f"servers[{j}].tags.gpu",
            )
        # the paper and its authors have one name for slices of two speeds, so the time tells which is meant
        return min(known, key=lambda each: abs(each.seconds(tokens_in, steps) - variable_s))

    return split


def _rooflines(service: Service, gpu_name: str) -> tuple[_Split, ...]:
    """What a GPU of that name may take: of the catalogue, or of the slices of the paper and of its authors."""
    block_gb = float(service.block_gb)
    try:
        model = catalog.model(service.name or "")
    except FormatError:
        return ()
    try:
        gpu = catalog.gpu(gpu_name)
    except FormatError:
        settings = (slices.PAPER, slices.AUTHORS) if model.name == slices.MODEL else ()
        kinds = [kind for setting in settings for kind in (setting.fast, setting.slow) if kind.name == gpu_name]
        return tuple(_roofline(kind, slices.FLOP_PER_TOKEN, block_gb) for kind in kinds)
    # of experts, a token uses a part and a step reads the same part, which does not change the proportion
    return (_roofline(gpu, 2 * model.largest_block_params, block_gb),)


def _roofline(gpu: catalog.Gpu, flop_per_token: float, step_gb: float) -> _Split:
    """F / TFLOPS for each token in, s_m / BW for each decode step; see :func:`chainopt.catalog.roofline_s`."""
    return _Split(flop_per_token / (float(gpu.tflops) * 1e12), step_gb / float(gpu.bandwidth_gb_s))


def _check(name: str, value: float, least: float, most: float = math.inf) -> None:
    if not (least <= value <= most and math.isfinite(value)):
        limits = f"from {least:g} on" if math.isinf(most) else f"from {least:g} to {most:g}"
        raise FormatError(f"expected a finite number {limits}, got {shown(value)}", path=name)


def _rest(j: int, server: Server, field: str, name: str, taken: float) -> float:
    """The time of a server but for a part that is taken as given."""
    time = float(getattr(server, field))
    if taken > time:
        raise FormatError(f"expected at least {name} = {taken:g}, got {time:g}", path=f"servers[{j}].{field}")
    return time - taken
