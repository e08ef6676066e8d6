"""``chainopt generate``: instances of a family, reproducible from their seed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainopt.cli.common import note, verbosity
from chainopt.errors import ChainoptError, FormatError

if TYPE_CHECKING:
    from chainopt.generate.family import Family
    from chainopt.generate.options import Option
    from chainopt.model.instance import Instance

EXAMPLES = {
    "tiny": ("--servers 4 --blocks 5 --seed 7", "--trap decimals-slots -o trap.json"),
    "random": ("--servers 100 --memory-ratio 20 --memory-spread 8 -o x.json",),
    "homogeneous": ("--servers 12 --memory-gb 40 --load 0.5",),
    "bloom": ("--servers 20 --fast-share 0.2 --seed 1 -o x.json", "--authors --count 20 -o bloom/"),
    "llama": ("--precision nf4 -o x.json", "--cards 2 --partition 3g.40gb+3g.40gb --arrival-rate 1.5"),
    "mig": ("--model Qwen2.5-72B --card H100-SXM-80GB --cards 6 --load 0.7",),
    "topology": ("--graph Abvt --servers 12 --nearest",),
}
_SHARED = ("count", "load", "name", "output", "seed")


class _Families(click.Group):
    """One command a family, made from the registry when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from chainopt.generate import FAMILIES

        return list(FAMILIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from chainopt.generate import FAMILIES

        return _family_command(FAMILIES[cmd_name]) if cmd_name in FAMILIES else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        families = self.list_commands(ctx)
        if args and args[0] not in families:
            ctx.fail(f"no family is named {args[0]!r}; known are {', '.join(families)}.")
        return super().resolve_command(ctx, args)


class _DecimalType(click.ParamType):  # type: ignore[type-arg]
    """A decimal number, exactly as it is written."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            number = Decimal(value)
        except ArithmeticError:
            number = Decimal("nan")
        if not number.is_finite():
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


@click.group(cls=_Families, subcommand_metavar="FAMILY [OPTIONS]")
def command() -> None:
    """Generate instances of a FAMILY.

    Equal options and an equal seed give equal files, byte for byte, on every machine. Each family has its own
    options: chainopt generate FAMILY --help.

    \b
    Examples:
      chainopt generate bloom --servers 20 --fast-share 0.2 --seed 1 -o x.json
      chainopt generate random --servers 100 --count 10 -o instances/
      chainopt generate tiny --trap overlap-needed -o -
    """


def _family_command(family: Family[Any]) -> click.Command:
    """The command of a family: an option for each of its parameters, and those that all families share."""
    decorated: Any = click.command(family.name, help=_help(family), short_help=f"{family.summary}.")(_runner(family))
    for option in reversed(family.options):
        decorated.params.insert(0, _click_option(option))
    result: click.Command = decorated
    return result


def _help(family: Family[Any]) -> str:
    lines = [f"  chainopt generate {family.name} {options}" for options in EXAMPLES.get(family.name, ())]
    return f"{family.summary}.\n\nSource: {family.source}." + (
        "\n\n\b\nExamples:\n" + "\n".join(lines) if lines else ""
    )


def _click_option(option: Option) -> click.Option:
    from chainopt.generate.options import Count, Flag, Quantity

    settings: dict[str, Any] = {"help": f"{option.text}."}
    match option.kind:
        case Flag():
            settings["is_flag"] = True
        case Count():
            settings |= {"type": click.INT, "metavar": "N"}
        case Quantity():
            settings |= {"type": _DecimalType(), "metavar": "X"}
        case word if word.choices:
            settings |= {"type": click.Choice(word.choices), "metavar": _metavar(word.choices)}
        case _:
            settings["metavar"] = "NAME"
    if option.default is not None and not isinstance(option.default, bool):
        settings |= {"default": option.default, "show_default": True}
    return click.Option([f"--{option.name.replace('_', '-')}"], **settings)


def _metavar(choices: tuple[str, ...]) -> str:
    return f"[{'|'.join(choices)}]" if len(choices) <= 10 else "NAME"


def _runner(family: Family[Any]) -> Any:
    @click.option(
        "--load",
        type=_DecimalType(),
        metavar="X",
        help="Arrival rate as X times the largest total service rate that is found, to 3 significant digits. The "
        "rate found may grow with the version; write it down as --arrival-rate.",
    )
    @click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all random draws.")
    @click.option(
        "--count", type=click.IntRange(1, 100_000), help="Number of instances, with seeds from the given one on."
    )
    @click.option("--name", metavar="NAME", help="Name of the instance; {seed} stands for the seed.")
    @click.option(
        "-o",
        "--output",
        metavar="FILE|DIR",
        default="-",
        show_default=True,
        help="Write to FILE, or to NAME.json in DIR, an existing directory or one that ends in /; - is standard "
        "output.",
    )
    @verbosity
    def run(**values: Any) -> int:
        shared = {key: values.pop(key) for key in _SHARED}
        _generate(family, values, **shared)
        return 0

    return run


def _generate(
    family: Family[Any],
    values: dict[str, Any],
    *,
    load: Decimal | None,
    seed: int,
    count: int | None,
    name: str | None,
    output: str,
) -> None:
    from chainopt.files import write_instance

    if load is not None and (values["arrival_rate"] is not None or values["bound_share"] is not None):
        raise click.UsageError("give one of --arrival-rate, --bound-share and --load.")
    if load is not None and not 0 < load < 1000:
        raise click.BadParameter(f"expected a number above 0 and below 1000, got {load}.", param_hint="'--load'")
    if count is not None and output == "-":
        raise click.UsageError("--count needs a directory: give -o DIR.")
    if count is not None and name is not None and "{seed}" not in name:
        raise click.UsageError("--name needs {seed} in it where there is --count.")
    parameters = _parameters(family, values)
    directory = count is not None or output.endswith(("/", "\\")) or Path(output).is_dir()
    if directory:
        _make(Path(output))
    for each in range(seed, seed + (count or 1)):
        instance = family.instance(parameters, each, None if name is None else name.replace("{seed}", str(each)))
        if load is not None:
            instance = _with_load(instance, load)
        target = _target(Path(output), instance.name) if directory else output
        write_instance(instance, target)
        if directory:
            note(f"wrote {target}")


def _parameters(family: Family[Any], values: dict[str, Any]) -> Any:
    """Its parameters; a value that is not allowed is an error that names the option."""
    try:
        return family.parameters(**values)
    except FormatError as error:
        path = None if error.path is None else f"--{error.path.replace('_', '-')}"
        raise FormatError(error.message, path=path) from None


def _with_load(instance: Instance, load: Decimal) -> Instance:
    """The instance with an arrival rate of `load` times the largest total service rate that is found."""
    from chainopt.facade import PIPELINE, compose
    from chainopt.quantity import significant

    evaluation = compose(instance, PIPELINE, objective="rate").evaluation
    if evaluation is None or evaluation.total_service_rate is None:
        raise ChainoptError(f"{instance.name}: no total service rate is known")
    total = evaluation.total_service_rate
    rate = significant(float(load) * total, 3)
    note(f"{instance.name}: --arrival-rate {rate:f}, {load} of the {total:.6g} jobs/s found")
    return instance.replace(workload=instance.workload.replace(arrival_rate=rate))


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(f"cannot be made: {error.strerror or error}", source=str(directory)) from error


def _target(directory: Path, name: str) -> str:
    if name in (".", "..") or "/" in name or "\\" in name:
        raise FormatError(f"the name {name!r} cannot be that of a file", source=str(directory))
    return str(directory / f"{name}.json")
