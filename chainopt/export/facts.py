"""What the catalogue knows of the model, against what the instance says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainopt import catalog
from chainopt.errors import FormatError, InfeasibleError
from chainopt.model.record import shown

if TYPE_CHECKING:
    from chainopt.catalog import Model
    from chainopt.export.options import Options
    from chainopt.export.plan import Plan


def known_model(plan: Plan, options: Options) -> Model | None:
    """The model in the catalogue, by the name that the engine loads or else the service's; None if it is not there."""
    for name in (options.model, plan.instance.service.name):
        if name is None:
            continue
        try:
            return catalog.model(name)
        except FormatError:
            continue
    return None


def model_notes(plan: Plan, options: Options, *, ends_on_servers: bool) -> tuple[str, ...]:
    """What is to be said of a known model.

    Parameters
    ----------
    ends_on_servers
        Whether the engine puts embeddings on the first and the output matrix on the last server of a chain.

    Raises
    ------
    InfeasibleError
        If the model has another number of blocks than the instance: engines refuse such a split.
    """
    model = known_model(plan, options)
    if model is None:
        return ()
    service = plan.instance.service
    if len(model.blocks) != service.blocks:
        raise InfeasibleError(f"{model.name} has {len(model.blocks)} blocks, the instance has {service.blocks}")
    notes = []
    if options.tokens is not None:
        cache = catalog.cache_gb(model, options.tokens)
        if cache > service.cache_gb:
            notes.append(
                f"A job of {options.tokens} tokens caches {float(cache):.4g} GB at a block of {shown(model.name)} at "
                f"16 bits, the instance counts {service.cache_gb} GB: fewer bits, or fewer jobs than planned."
            )
    if ends_on_servers:
        first, last = catalog.ends_gb(model)
        notes.append(
            f"The first server of a chain holds embeddings too, {float(first):.4g} GB at 16 bits, the last one the "
            f"output matrix, {float(last):.4g} GB: they are no blocks, reserve_gb of these servers has to leave room."
        )
    return tuple(notes)
