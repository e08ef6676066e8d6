"""``chainopt methods``: what ``--method`` and ``--policy`` take."""

from __future__ import annotations

import json

import click

from chainopt.cli.common import json_option, show_table, verbosity


@click.command()
@json_option
@verbosity
def command(as_json: bool) -> int:
    """List the methods: a placement rule and an allocation rule, joined by a plus sign, or an alias; and the policies.

    \b
    Example:
      chainopt solve --method random+gca x.json
    """
    from chainopt.allocation import ALLOCATIONS
    from chainopt.baselines import SYSTEMS
    from chainopt.export import ENGINES
    from chainopt.facade import ALIASES, AUTO, EXACT, SOLVED_PLACEMENTS
    from chainopt.placement import PLACEMENTS
    from chainopt.plug_in import GROUP, names
    from chainopt.simulation import POLICIES
    from chainopt.simulation.routing import ROUTING

    entries = [
        {"kind": kind, "name": name, "summary": method.summary, "source": method.source}
        for kind, registry in (("placement", PLACEMENTS | SOLVED_PLACEMENTS), ("allocation", ALLOCATIONS))
        for name, method in registry.items()
    ]
    policies = [
        {"kind": kind, "name": name, "summary": method.summary, "source": method.source}
        for kind, registry in (("policy", POLICIES), ("routing policy", ROUTING))
        for name, method in registry.items()
    ]
    auto = "the default: greedy rules, a bound, exact where that closes, search until the time is up"
    entries.append({"kind": "method", "name": AUTO, "summary": auto, "source": "docs/decisions/0006-search.md"})
    exact = "both at once, proven optimal, or the best found with a bound at the time limit"
    entries.append({"kind": "method", "name": EXACT, "summary": exact, "source": "docs/formulations"})
    entries += [
        {"kind": "alias", "name": name, "summary": f"the same as {method}", "source": ""}
        for name, method in ALIASES.items()
    ]
    entries += [
        {"kind": "own method", "name": name, "summary": "installed by a package", "source": GROUP} for name in names()
    ]
    entries += [
        {"kind": kind, "name": name, "summary": entry.summary, "source": entry.source}
        for kind, registry in (("system", SYSTEMS), ("engine", ENGINES))
        for name, entry in registry.items()
    ]
    entries += policies
    if as_json:
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    else:
        columns = ("kind", "name", "summary", "source")
        show_table(columns, [[entry[column] for column in columns] for entry in entries])
    return 0
