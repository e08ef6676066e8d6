"""PETALS: one swarm; servers are shared by chains, and clients are kept to the servers of a chain."""

from __future__ import annotations

from fractions import Fraction
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from chainopt import catalog
from chainopt.errors import FormatError, InfeasibleError
from chainopt.export.deployment import Deployment, Process, Variable, multiaddress
from chainopt.export.documents import json_text
from chainopt.export.engines.routes import count_routes, only_route
from chainopt.export.facts import known_model, model_notes
from chainopt.export.memory import with_capacities
from chainopt.export.names import labels
from chainopt.export.plan import Sharing, free_gb, listed
from chainopt.model.record import shown

if TYPE_CHECKING:
    from chainopt.export.deployment import Addresses, Argument
    from chainopt.export.options import Options
    from chainopt.export.plan import Plan, PlannedChain

VERSION = "PETALS 2.2 and later (--attn_cache_tokens, --quant_type, allowed_servers)"
QUANT_TYPES = ("none", "int8", "nf4")
TORCH_DTYPES = ("auto", "bfloat16", "float16", "float32")
PEERS = Variable("INITIAL_PEERS", "run identities.py first, or set it to a multiaddress of the swarm")


class Node(NamedTuple):
    """A PETALS server: what it announces, and the tokens of its cache."""

    name: str
    server: int
    start: int
    stop: int
    cache_tokens: int


def cache_tokens(chains: list[PlannedChain], server: int, size: int, tokens: int) -> int:
    """N of --attn_cache_tokens: ceil(Σ_k c_k m_kj T / m_j), as the pool has room for N tokens at each hosted block.

    A session takes T tokens at each block that it runs, from a pool that all blocks share
    (petals/server/server.py, attn_cache_bytes; petals/server/backend.py, get_inference_cache_descriptors).
    """
    used = sum(chain.capacity * hop.blocks for chain in chains for hop in chain.hops if hop.server == server)
    return -(-used * tokens // size)


def petals(plan: Plan, options: Options, addresses: Addresses) -> Deployment:
    """One process for each server, or for each server of each chain where chains are split, and one where all meet."""
    model, tokens = options.needed_model(), options.needed_tokens()
    quant, dtype = _quant(plan, options), _choice(options.dtype or "bfloat16", TORCH_DTYPES, "--dtype")
    notes = model_notes(plan, options, ends_on_servers=False)
    plan = _fitted(_pinned(plan, options), options, tokens)
    nodes = _nodes(plan, addresses, tokens)
    members = _members(plan, nodes)
    first = next(iter(nodes.values()))
    meeting = addresses.port()
    meeting_name = "bootstrap"
    processes = [
        Process(
            meeting_name,
            first.server,
            "where servers and clients meet",
            # without addresses after --initial_peers it would join the public swarm
            (
                *_python("run_dht"),
                "--initial_peers",
                "--host_maddrs",
                f"/ip4/0.0.0.0/tcp/{meeting}",
                *_key(meeting_name),
            ),
            (meeting,),
            gpu=False,
        )
    ]
    for node in nodes.values():
        port = addresses.port()
        argv = [*_python("run_server"), model, "--block_indices", f"{node.start}:{node.stop}"]
        argv += ["--attn_cache_tokens", str(node.cache_tokens), "--inference_max_length", str(tokens)]
        argv += ["--torch_dtype", dtype, "--quant_type", quant]
        argv += ["--throughput", "1.0", "--balance_quality", "0.0", "--max_alloc_timeout", "600"]
        argv += ["--port", str(port), f"--public_name={plan.instance.servers[node.server].id}", *_key(node.name)]
        task = f"blocks {node.start}:{node.stop}"
        environment = addresses.environment(node.server)
        arguments: tuple[Argument, ...] = (*argv, "--initial_peers", PEERS)
        processes.append(Process(node.name, node.server, task, arguments, (port,), environment))
    swarm = {
        "model": model,
        "bootstrap": {
            "name": meeting_name,
            "address": multiaddress(addresses.address(first.server, meeting_name), meeting),
        },
        "processes": [process.name for process in processes],
        "chains": {chain.name: [node.name for node in members[chain.name]] for chain in plan.chains},
    }
    files = {
        "swarm.json": json_text(swarm),
        **{name: _template(name) for name in ("identities.py", "client.py")},
    }
    endpoints: dict[str, str | None] = {chain.name: None for chain in plan.chains}
    return Deployment(plan, tuple(processes), endpoints, files, (*notes, *NOTES))


def _python(module: str) -> tuple[str, ...]:
    return "python", "-m", f"petals.cli.{module}"


def _key(name: str) -> tuple[str, str]:
    return "--identity_path", f"keys/{name}.key"


def _template(name: str) -> str:
    return (resources.files("chainopt.export") / "templates" / f"{name}.txt").read_text("utf-8")


def _quant(plan: Plan, options: Options) -> str:
    """How blocks are quantised: as asked, or as the size of a block says, where the catalogue knows the model."""
    if options.quant is not None:
        return _choice(options.quant, QUANT_TYPES, "--quant")
    model = known_model(plan, options)
    size = float(plan.instance.service.block_gb)
    for quant in QUANT_TYPES:
        if model is None:
            break
        expected = float(catalog.block_gb(model, "bf16" if quant == "none" else quant))
        if abs(size - expected) <= 0.05 * expected:
            return quant
    raise FormatError(
        f"expected one of {', '.join(QUANT_TYPES)}, as the model and block_gb do not tell", path="--quant"
    )


def _choice(value: str, choices: tuple[str, ...], option: str) -> str:
    if value not in choices:
        raise FormatError(f"expected one of {', '.join(choices)}, got {shown(value)}", path=option)
    return value


def _fitted(plan: Plan, options: Options, tokens: int) -> Plan:
    """The plan, with fewer jobs where that is asked for and needed.

    Raises
    ------
    InfeasibleError
        If the cache, rounded up to whole tokens, does not fit.
    """
    if plan.sharing is Sharing.SPLIT:
        return plan  # c T tokens are whole
    service = plan.instance.service
    capacities = [chain.capacity for chain in plan.chains]
    over = []
    for j, (start, stop) in plan.hosted.items():
        size, server = stop - start, plan.instance.servers[j]
        slots = Fraction(cache_tokens(list(plan.chains), j, size, tokens) * size, tokens)
        need = Fraction(service.block_gb) * size + Fraction(service.cache_gb) * slots
        if need > free_gb(server):
            over.append(f"{shown(server.id)} needs {float(need):.6g} of {float(free_gb(server)):.6g} GB")
            visitors = [k for k, chain in enumerate(plan.chains) if any(hop.server == j for hop in chain.hops)]
            slowest = max(visitors, key=lambda k: plan.chains[k].service_time_s)
            capacities[slowest] -= 1  # rounding takes less than a job
    if not over:
        return plan
    if not options.fewer_jobs or not any(capacity > 0 for capacity in capacities):
        raise InfeasibleError(f"caches of whole tokens do not fit: {listed(over)}; see --fewer-jobs")
    return _fitted(with_capacities(plan, capacities), options, tokens)


def _nodes(plan: Plan, addresses: Addresses, tokens: int) -> dict[tuple[str, int] | int, Node]:
    """The PETALS servers: by server, or by chain and server where chains are split."""
    if plan.sharing is not Sharing.SPLIT:
        names = labels([f"server-{addresses.labels[j]}" for j in plan.hosted], "server")
        chains = list(plan.chains)
        return {
            j: Node(name, j, start, stop, cache_tokens(chains, j, stop - start, tokens))
            for name, (j, (start, stop)) in zip(names, plan.hosted.items(), strict=True)
        }
    hops = [(chain, hop) for chain in plan.chains for hop in chain.hops]
    names = labels([f"{chain.name}-{addresses.labels[hop.server]}" for chain, hop in hops], "server")
    return {
        (chain.name, hop.server): Node(name, hop.server, hop.start, hop.stop, chain.capacity * tokens)
        for name, (chain, hop) in zip(names, hops, strict=True)
    }


def _members(plan: Plan, nodes: dict[tuple[str, int] | int, Node]) -> dict[str, list[Node]]:
    """The PETALS servers of each chain."""
    split = plan.sharing is Sharing.SPLIT
    return {
        chain.name: [nodes[(chain.name, hop.server) if split else hop.server] for hop in chain.hops]
        for chain in plan.chains
    }


def _pinned(plan: Plan, options: Options) -> Plan:
    """The plan if a client that is kept to the servers of a chain can take no other route than the chain.

    With fewer jobs allowed, chains that cannot be pinned are left out, the slowest first: without it, its servers may
    load fewer blocks, so that others can be.

    Raises
    ------
    InfeasibleError
        It names the chains.
    """
    while plan.sharing is not Sharing.SPLIT:  # there, ranges of a chain do not overlap
        loose = _loose_chains(plan)
        if not loose:
            break
        if not options.fewer_jobs or len(plan.chains) == 1:
            raise InfeasibleError(
                f"PETALS clients choose their route by delays that they measure, and the servers of these chains offer "
                f"others: {listed(list(loose.values()), 5)}; --fewer-jobs leaves such chains out, --exclusive composes "
                "chains that do not meet, --split-shared starts a copy for each chain"
            )
        slowest = max(loose, key=lambda k: plan.chains[k].service_time_s)
        plan = with_capacities(plan, [0 if k == slowest else chain.capacity for k, chain in enumerate(plan.chains)])
    return plan


def _loose_chains(plan: Plan) -> dict[int, str]:
    """Chains whose servers offer other routes, in words, by position."""
    blocks = plan.instance.service.blocks
    loose = {}
    for k, chain in enumerate(plan.chains):
        spans = {hop.server: plan.hosted[hop.server] for hop in chain.hops}
        routes = count_routes(spans, blocks)
        if routes != 1 or only_route(spans, blocks) != [(hop.server, hop.start, hop.stop) for hop in chain.hops]:
            servers = " > ".join(f"{shown(plan.server(hop).id)} {hop.start}:{hop.stop}" for hop in chain.hops)
            loose[k] = f"{chain.name} ({routes} routes; planned {servers})"
    return loose


NOTES = (
    "Run `python identities.py` after each export, where PETALS is installed: it makes the keys that are missing, and "
    "from all keys peers.json and variables.env. Then copy the folder to each server.",
    "PETALS does not enforce the capacity of a chain: a dispatcher has to. client.py opens a chain, for one pool of "
    "sessions each.",
    "PETALS keeps no memory for activations if blocks are given: 2 GiB at a hidden size of 14336 is what it takes "
    "otherwise, less where nobody trains. reserve_gb of the servers has to leave room for that.",
    "Clients hold embeddings and output matrix.",
)
