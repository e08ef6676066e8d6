"""What is written, run with stand-ins and put through the engine's own rule, hosts exactly the planned blocks."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chainopt
from chainopt.export import ENGINES, Host, Options, Plan, Sharing, export_files, make_plan, write_folder
from chainopt.export.deployment import Deployment
from chainopt.export.engines.llama_cpp import RULE as LLAMA
from chainopt.export.engines.parallax import RULE as PARALLAX
from chainopt.export.engines.parallax import exact_route
from chainopt.export.engines.partition import given_stages
from chainopt.export.engines.routes import only_route
from chainopt.export.engines.tensor_split import device_ranges, layer_devices
from chainopt.export.engines.vllm import RULE as VLLM
from chainopt.model import Composition, Instance, Placement, Solution
from tests.export import parsers
from tests.export.stubs import Call, run_scripts
from tests.export.systems import instance_of, overlapping, solution_of, two_chains, worked_example

TOKENS = 2048


def ask(**options: Any) -> Options:
    """Options with a model and tokens."""
    return Options(**{"model": "org/model", "tokens": TOKENS, **options})


def exported(
    engine: str, plan: Plan, tmp_path: Path, options: Options | None = None, **environment: str
) -> tuple[Deployment, Path, dict[str, Call]]:
    """The deployment, its folder, and what its scripts call."""
    deployment, files = export_files(engine, plan, options or ask())
    folder = tmp_path / engine
    write_folder(files, folder)
    return deployment, folder, run_scripts(folder, tmp_path / f"{engine}-tools", **environment)


def planned(plan: Plan) -> dict[str, list[tuple[int, int]]]:
    """The blocks of the hops of each chain."""
    return {chain.name: [(hop.start, hop.stop) for hop in chain.hops] for chain in plan.chains}


def by_chain(calls: dict[str, Call]) -> dict[str, list[Call]]:
    """The calls of each chain, by rank, of engines that name processes CHAIN-RANK-SERVER."""
    found: dict[str, list[Call]] = {}
    for name in sorted(calls, key=lambda name: [int(n) for n in re.findall(r"\d+", name)[:2]]):
        match = re.match(r"(chain-\d+)-\d", name)
        if match:
            found.setdefault(match[1], []).append(calls[name])
    return found


@pytest.fixture(params=[Sharing.SHARED, Sharing.EXCLUSIVE, Sharing.SPLIT])
def plan(request: pytest.FixtureRequest) -> Plan:
    """Two chains that do not meet, whatever is asked."""
    return make_plan(*two_chains(), request.param)


class TestVllm:
    """vLLM."""

    def test_stages_and_blocks(self, plan: Plan, tmp_path: Path) -> None:
        """Each rank gets the planned blocks and the capacity fits the KV blocks of the tightest stage."""
        deployment, _, calls = exported("vllm", plan, tmp_path)
        found = {}
        for chain in deployment.plan.chains:
            ranks = by_chain(calls)[chain.name]
            for r, call in enumerate(ranks):
                assert call.argv[:2] == ["vllm", "serve"]
                args = parsers.vllm().parse_args(call.argv[2:])
                assert args.model_tag == "org/model"
                assert (args.pipeline_parallel_size, args.nnodes, args.node_rank) == (len(ranks), len(ranks), r)
                stages = given_stages(call.env["VLLM_PP_LAYER_PARTITION"], args.pipeline_parallel_size, 12)
                found.setdefault(chain.name, []).append(stages[args.node_rank])
                assert (args.max_num_seqs, args.max_model_len) == (chain.capacity, TOKENS)
                assert VLLM.jobs(args.num_gpu_blocks_override, TOKENS) == chain.capacity
                server = plan.server(chain.hops[r])
                # bytes of a KV block of 16 tokens: 0.1 GB / (2048 / 16) for each layer
                blocks_gb = Fraction(args.num_gpu_blocks_override, 128) / 10 * chain.hops[r].blocks
                assert chain.hops[r].blocks + blocks_gb <= Fraction(server.memory_gb)
                share = Fraction(str(args.gpu_memory_utilization))
                assert chain.hops[r].blocks + blocks_gb <= share * Fraction(server.memory_gb)
                assert args.headless is (r > 0)
                assert (args.port is None) is (r > 0)
        assert found == planned(deployment.plan)

    def test_capacity_is_lowered_only_where_allowed(self) -> None:
        """A server that is full to the last byte has no room for the block that vLLM keeps for itself."""
        # two servers of 6 blocks and 10 jobs: 6 + 6 * 10 / 10 = 12 GB
        instance = instance_of([12, 12])
        composition = Composition.of(instance, Placement([0, 6], [6, 12]), [[0, 1]], [10])
        full = make_plan(instance, solution_of(instance, composition))
        with pytest.raises(chainopt.InfeasibleError, match=r"'s0' needs 12\.0047 of 12 GB, 's1'.*--fewer-jobs"):
            export_files("vllm", full, ask())
        deployment, _ = export_files("vllm", full, ask(fewer_jobs=True))
        assert [chain.capacity for chain in deployment.plan.chains] == [9]
        assert not chainopt.verify(instance, deployment.plan.solution)

    def test_endpoints_are_different(self, tmp_path: Path) -> None:
        """Chains on one machine listen on ports of their own, on the devices of their servers."""
        instance, solution = two_chains()
        hosts = {server.id: Host(address="10.0.0.7", device=str(j)) for j, server in enumerate(instance.servers)}
        deployment, folder, calls = exported(
            "vllm", make_plan(instance, solution), tmp_path, ask(hosts=hosts, port=9000)
        )
        assert deployment.endpoints == {"chain-0": "http://10.0.0.7:9000", "chain-1": "http://10.0.0.7:9002"}
        devices = [call.env["CUDA_VISIBLE_DEVICES"] for calls in by_chain(calls).values() for call in calls]
        assert devices == ["0", "1", "2", "3", "4"]
        chains = json.loads((folder / "chains.json").read_text())["chains"]
        assert {chain["endpoint"] for chain in chains} == set(deployment.endpoints.values())


class TestSglang:
    """SGLang."""

    def test_stages_and_tokens(self, plan: Plan, tmp_path: Path) -> None:
        """Each rank gets the planned blocks, and the pool has room for all tokens of the capacity."""
        deployment, _, calls = exported("sglang", plan, tmp_path)
        found = {}
        for chain in deployment.plan.chains:
            ranks = by_chain(calls)[chain.name]
            for r, call in enumerate(ranks):
                assert call.argv[:3] == ["python", "-m", "sglang.launch_server"]
                args = parsers.sglang().parse_args(call.argv[3:])
                assert (args.pp_size, args.nnodes, args.node_rank) == (len(ranks), len(ranks), r)
                stages = given_stages(call.env["SGLANG_PP_LAYER_PARTITION"], args.pp_size, 12)
                found.setdefault(chain.name, []).append(stages[args.node_rank])
                assert args.max_running_requests == chain.capacity
                assert args.max_total_tokens == chain.capacity * args.context_length == chain.capacity * TOKENS
                assert args.pp_max_micro_batch_size * args.pp_size >= chain.capacity
        assert found == planned(deployment.plan)


class TestLlamaCpp:
    """llama.cpp."""

    def test_layers_and_slots(self, plan: Plan, tmp_path: Path) -> None:
        """The front's devices are the workers in order, and its split puts the planned blocks on each."""
        deployment, _, calls = exported("llama-cpp", plan, tmp_path)
        found = {}
        for chain in deployment.plan.chains:
            call = calls[f"{chain.name}-main"]
            args = parsers.llama_server().parse_args(call.argv[1:])
            workers = [parsers.rpc_server().parse_args(worker.argv[1:]) for worker in by_chain(calls)[chain.name]]
            places = [f"s{hop.server}:{worker.port}" for hop, worker in zip(chain.hops, workers, strict=True)]
            assert args.rpc.split(",") == places
            assert args.device.split(",") == [f"RPC{r}" for r in range(len(workers))]
            assert {worker.device for worker in workers} == {"CUDA0"}
            assert (args.split_mode, args.fit) == ("layer", "off")
            split = [float(part) for part in args.tensor_split.split(",")]
            devices = layer_devices(split, 12, args.n_gpu_layers)
            found[chain.name] = device_ranges(devices[:12], len(split))
            assert devices[12] == len(split) - 1
            assert args.parallel == chain.capacity
            assert args.ctx_size // args.parallel >= TOKENS
            assert LLAMA.jobs(args.ctx_size // LLAMA.page, TOKENS) == chain.capacity
        assert found == planned(deployment.plan)

    def test_no_more_devices_than_it_takes(self) -> None:
        """16 servers in a row are one too many."""
        instance = instance_of([2] * 16, blocks=16)
        servers = list(range(16))
        composition = Composition.of(instance, Placement(servers, [j + 1 for j in servers]), [servers], [1])
        with pytest.raises(chainopt.InfeasibleError, match=r"at most 15 devices.*chain-0 \(16 servers\)"):
            export_files("llama-cpp", make_plan(instance, solution_of(instance, composition)), ask())


class TestParallax:
    """Parallax."""

    def test_layers(self, plan: Plan, tmp_path: Path) -> None:
        """The nodes of a chain meet exactly, under a prefix of their own, and without a scheduler."""
        deployment, _, calls = exported("parallax", plan, tmp_path, PARALLAX_LAUNCH="launch it.py")
        found, prefixes = {}, set()
        for chain in deployment.plan.chains:
            nodes = []
            for call in by_chain(calls)[chain.name]:
                assert call.argv[:2] == ["python", "launch it.py"]
                args = parsers.parallax().parse_args(call.argv[2:])
                assert args.scheduler_addr is None
                assert (args.max_batch_size, args.max_sequence_length) == (chain.capacity, TOKENS)
                hop = chain.hops[len(nodes)]
                server = plan.server(hop)
                # the cache has at least the pages of the capacity
                room = Fraction(str(args.kv_cache_memory_fraction)) * (Fraction(server.memory_gb) - hop.blocks)
                assert room >= Fraction(PARALLAX.all_pages(TOKENS, chain.capacity), 32) / 10 * hop.blocks
                nodes.append((args.start_layer, args.end_layer))
                prefixes.add(args.dht_prefix)
            found[chain.name] = exact_route(nodes, 12)
        assert found == planned(deployment.plan)
        assert len(prefixes) == len(found)


class TestPetals:
    """PETALS."""

    @pytest.mark.parametrize("sharing", list(Sharing))
    @pytest.mark.parametrize("system", [two_chains, worked_example])
    def test_blocks_cache_and_routes(self, sharing: Sharing, system: Any, tmp_path: Path) -> None:
        """What servers announce leaves the clients of a chain one route, the planned one, and room for all sessions."""
        instance, solution = system()
        if sharing is Sharing.SPLIT and system is worked_example:
            pytest.skip("copies do not fit")
        plan = make_plan(instance, solution, sharing)
        address = "/ip4/10.0.0.1/tcp/8000/p2p/Qm"
        deployment, folder, calls = exported("petals", plan, tmp_path, ask(quant="none"), INITIAL_PEERS=address)
        meeting = parsers.petals_dht().parse_args(calls.pop("bootstrap").argv[3:])
        assert meeting.initial_peers == []
        spans, pools = {}, {}
        for name, call in calls.items():
            assert call.argv[:3] == ["python", "-m", "petals.cli.run_server"]
            args = parsers.petals_server().parse_args(call.argv[3:])
            assert (args.model, args.num_blocks, args.initial_peers) == ("org/model", None, [address])
            assert (args.balance_quality, args.inference_max_length, args.quant_type) == (0, TOKENS, "none")
            start, stop = map(int, args.block_indices.split(":"))
            spans[name], pools[name] = (start, stop), args.attn_cache_tokens * (stop - start)
        swarm = json.loads((folder / "swarm.json").read_text())
        for chain in deployment.plan.chains:
            members = swarm["chains"][chain.name]
            route = only_route({name: spans[name] for name in members}, instance.service.blocks)
            hops = [(name, hop.start, hop.stop) for name, hop in zip(members, chain.hops, strict=True)]
            assert route == hops
            for name, start, stop in route:  # a session takes its tokens at each block that it runs
                pools[name] -= chain.capacity * TOKENS * (stop - start)
        assert min(pools.values()) >= 0

    def test_refuses_other_routes(self) -> None:
        """A client that may use s0, s1 and s2 could leave out s1, so the chain is not pinned."""
        plan = make_plan(*overlapping())
        with pytest.raises(
            chainopt.InfeasibleError, match=r"chain-1 \(2 routes; planned 's0' 0:5 > 's1' 5:8 > 's2' 8:12"
        ):
            export_files("petals", plan, ask(quant="none"))

    def test_leaves_out_what_cannot_be_pinned(self) -> None:
        """With fewer jobs allowed, the slower of both chains is left out, and its server too."""
        instance, solution = overlapping()
        plan = make_plan(instance, solution)
        deployment, files = export_files("petals", plan, ask(quant="none", fewer_jobs=True))
        (chain,) = deployment.plan.chains
        assert ([hop.server for hop in chain.hops], chain.capacity) == ([0, 2], 2)
        assert deployment.plan.hosted == {0: (0, 5), 2: (5, 12)}
        assert not chainopt.verify(instance, deployment.plan.solution)
        assert "5 to 2 jobs at once" in files["README.md"]

    def test_unused_blocks_are_not_loaded(self) -> None:
        """Alone, the longer chain has one route, as s2 then loads what it is used for; its pool is smaller too."""
        instance, solution = overlapping()
        alone = solution.replace(chains=solution.chains[1:]).bind(instance)
        plan = make_plan(instance, alone)
        assert plan.hosted == {0: (0, 5), 1: (5, 8), 2: (8, 12)}
        assert any("not loaded: 's1' (3:8 to 5:8), 's2' (4:12 to 8:12)" in note for note in plan.notes)
        deployment, files = export_files("petals", plan, ask(quant="none"))
        assert len(deployment.processes) == 4
        # 3 jobs of 2048 tokens at all 4 blocks of s2
        assert "--attn_cache_tokens 6144" in files["scripts/server-s2.sh"]

    def test_tokens_of_a_pool(self) -> None:
        """ceil(Σ c_k m_kj T / m_j): s2 hosts 5:12, 2 jobs run 7 blocks and 3 run 4: ceil(26 * 2048 / 7) = 7607."""
        from chainopt.export.engines.petals import cache_tokens

        plan = make_plan(*overlapping())
        assert plan.hosted[2] == (5, 12)
        assert cache_tokens(list(plan.chains), 2, 7, TOKENS) == 7607

    def test_quantisation_from_the_size_of_a_block(self) -> None:
        """BLOOM's blocks of 1.32 GB are NF4; where nothing tells, it has to be said."""
        instance, solution = two_chains()
        bloom = instance_of([12, 16, 10, 10, 10], block_gb=1.32, cache_gb=0.11)
        with pytest.raises(chainopt.FormatError, match=r"--quant: expected one of none, int8, nf4"):
            export_files("petals", make_plan(instance, solution), ask())
        composition = Composition.of(bloom, Placement([0, 5, 0, 4, 8], [5, 12, 4, 8, 12]), [[0, 1]], [1])
        plan = make_plan(bloom, solution_of(bloom, composition))
        with pytest.raises(chainopt.InfeasibleError, match="BLOOM-176B has 70 blocks, the instance has 12"):
            export_files("petals", plan, ask(model="BLOOM-176B"))
        whole = instance_of([200], block_gb=1.32, cache_gb=0.11, blocks=70)
        composition = Composition.of(whole, Placement([0], [70]), [[0]], [1])
        _, files = export_files("petals", make_plan(whole, solution_of(whole, composition)), ask(model="BLOOM-176B"))
        assert "--quant_type nf4" in files["scripts/server-s0.sh"]


class TestRayServe:
    """Ray Serve."""

    def test_applications(self, tmp_path: Path) -> None:
        """Bundles of an application stand on the chain's servers in order, and vLLM's rule gives each its blocks."""
        instance, solution = two_chains()
        hosts = {server.id: Host(address=f"10.0.0.{j + 1}") for j, server in enumerate(instance.servers)}
        deployment, folder, calls = exported("ray-serve", make_plan(instance, solution), tmp_path, ask(hosts=hosts))
        owner = {}
        for call in calls.values():
            assert call.argv[:2] == ["ray", "start"]
            (resource,) = json.loads(call.value("--resources"))
            owner[resource] = resource.removeprefix("chainopt-")
        config = json.loads((folder / "serve.yaml").read_text())
        found = {}
        for application, chain in zip(config["applications"], deployment.plan.chains, strict=True):
            (llm,) = application["args"]["llm_configs"]
            engine = llm["engine_kwargs"]
            partition = llm["runtime_env"]["env_vars"]["VLLM_PP_LAYER_PARTITION"]
            found[chain.name] = given_stages(partition, engine["pipeline_parallel_size"], 12)
            bundles = llm["placement_group_config"]["bundles"]
            servers = [owner[key] for bundle in bundles for key in bundle if key.startswith("chainopt-")]
            assert servers == [plan_id(instance, hop.server) for hop in chain.hops]
            assert engine["max_num_seqs"] == chain.capacity == llm["deployment_config"]["max_ongoing_requests"]
        assert found == planned(deployment.plan)

    def test_refuses_an_order_that_ray_changes(self) -> None:
        """Stages 1 and 2 of chain-1 would change places, as 10.0.0.10 comes before 10.0.0.9."""
        instance, solution = two_chains()
        addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9", "10.0.0.10"]
        hosts = {server.id: Host(address=a) for server, a in zip(instance.servers, addresses, strict=True)}
        with pytest.raises(chainopt.InfeasibleError, match=r"chain-1 \(10\.0\.0\.3, 10\.0\.0\.9, 10\.0\.0\.10\)"):
            export_files("ray-serve", make_plan(instance, solution), ask(hosts=hosts))


def plan_id(instance: Instance, j: int) -> str:
    """Id of a server."""
    return instance.servers[j].id


class TestKubernetes:
    """Kubernetes."""

    @pytest.mark.parametrize("runtime", ["vllm", "sglang", "petals", "llama-cpp", "parallax"])
    def test_the_same_processes(self, runtime: str) -> None:
        """Pods run what the scripts of the runtime run, but for addresses; a Service and a StatefulSet for each."""
        plan = make_plan(*two_chains())
        quant = "none" if runtime == "petals" else None
        inner, _ = export_files(runtime, plan, ask(quant=quant))
        deployment, files = export_files("kubernetes", plan, ask(runtime=runtime, image="engine:1", quant=quant))
        objects = [json.loads(text) for text in files["manifests.yaml"].split("---\n")]
        assert [each["kind"] for each in objects] == ["Service", "StatefulSet"] * len(inner.processes)
        for service, pods, process in zip(objects[::2], objects[1::2], inner.processes, strict=True):
            assert service["metadata"]["name"] == pods["metadata"]["name"] == process.name
            selector = service["spec"]["selector"].items()
            assert selector <= pods["spec"]["template"]["metadata"]["labels"].items()
            spec = pods["spec"]["template"]["spec"]
            assert spec["nodeSelector"]["chainopt/server"] == f"s{process.server}"
            (container,) = spec["containers"]
            assert container["command"][0] == process.argv[0]
            assert len(container["command"]) == len(process.argv)
            assert ("resources" in container) is process.gpu
            assert {env["name"]: env["value"] for env in container.get("env", [])} == dict(process.env)
        assert not any(path.endswith(".sh") for path in files)
        assert "scripts/" not in files["README.md"]
        names = {each["metadata"]["name"] for each in objects}
        for url in deployment.endpoints.values():
            assert url is None or re.match(r"http://([^:]+):\d+$", url)[1] in names  # type: ignore[index]

    def test_needs_an_image(self) -> None:
        """No image, or an unknown runtime, is an error that says so."""
        plan = make_plan(*two_chains())
        with pytest.raises(chainopt.FormatError, match=r"--image: expected an image"):
            export_files("kubernetes", plan, ask())
        with pytest.raises(chainopt.FormatError, match=r"--runtime: expected one of vllm.*got 'kubernetes'"):
            export_files("kubernetes", plan, ask(runtime="kubernetes", image="x"))


class TestAll:
    """What all engines have in common."""

    @pytest.mark.parametrize("engine", ENGINES)
    def test_files(self, engine: str) -> None:
        """Plan, chains and README are there; the solution is valid; the chains are those of the plan."""
        instance, solution = two_chains()
        options = ask(quant="none" if engine == "petals" else None, image="x")
        deployment, files = export_files(engine, make_plan(instance, solution), options)
        plan = json.loads(files["plan.json"])
        assert plan["format"] == "chainopt-plan/1"
        assert plan["engine"] == {"name": engine, "version": ENGINES[engine].version}
        assert [(entry["id"], entry["start"], entry["stop"]) for entry in plan["servers"]] == [
            ("s0", 0, 5),
            ("s1", 5, 12),
            ("s2", 0, 4),
            ("s3", 4, 8),
            ("s4", 8, 12),
        ]
        chains = json.loads(files["chains.json"])["chains"]
        assert [chain["service_time_s"] for chain in chains] == sorted(chain["service_time_s"] for chain in chains)
        by_id = {chain["id"]: chain for chain in chains}
        for chain in deployment.plan.chains:
            assert by_id[chain.name]["capacity"] == chain.capacity
            assert by_id[chain.name]["rate"] == pytest.approx(1 / chain.service_time_s)
            hops = by_id[chain.name]["servers"]
            assert [hop["start"] for hop in hops] + [hops[-1]["stop"]] == [0, *(hop["stop"] for hop in hops)]
        assert not chainopt.verify(instance, deployment.plan.solution)
        assert ENGINES[engine].version in files["README.md"]

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=5), min_size=1, max_size=4), st.data())
    def test_any_disjoint_chains(self, shapes: list[list[int]], data: st.DataObject) -> None:
        """Whatever the chains: what the pipelines of all engines are told to host is what is planned."""
        blocks = max(sum(shape) for shape in shapes)
        shapes = [[*shape[:-1], shape[-1] + blocks - sum(shape)] for shape in shapes]
        sizes = [size for shape in shapes for size in shape]
        jobs = [data.draw(st.integers(1, 9)) for _ in shapes]
        per_server = [job for shape, job in zip(shapes, jobs, strict=True) for _ in shape]
        memories = [2 * size + size * job for size, job in zip(sizes, per_server, strict=True)]
        instance = instance_of(memories, blocks=blocks, cache_gb=0.5, rate=0.001)
        starts, chains, j = [], [], 0
        for shape in shapes:
            chains.append(list(range(j, j + len(shape))))
            starts += [sum(shape[:i]) for i in range(len(shape))]
            j += len(shape)
        placement = Placement(starts, [a + m for a, m in zip(starts, sizes, strict=True)])
        plan = make_plan(instance, solution_of(instance, Composition.of(instance, placement, chains, jobs)))
        for engine in ("vllm", "sglang"):
            deployment, _ = export_files(engine, plan, ask())
            for chain, shape in zip(deployment.plan.chains, shapes, strict=True):
                processes = [p for p in deployment.processes if p.name.startswith(f"{chain.name}-")]
                (partition,) = {v for p in processes for k, v in p.env.items() if k.endswith("PARTITION")}
                assert partition == ",".join(map(str, shape))


def test_python_files_of_petals(tmp_path: Path) -> None:
    """identities.py makes keys once and writes the peers; client.py keeps a chain to its servers."""
    import subprocess
    import sys

    plan = make_plan(*two_chains())
    _, files = export_files("petals", plan, ask(quant="none"))
    folder = tmp_path / "petals"
    write_folder(files, folder)
    (tmp_path / "hivemind").mkdir()
    (tmp_path / "hivemind" / "__init__.py").write_text(
        "class PeerID:\n"
        "    def __init__(self, key): self.key = key\n"
        "    @classmethod\n"
        "    def from_identity(cls, data): return cls(data.decode())\n"
        "    def to_base58(self): return 'Qm' + self.key\n"
    )
    (tmp_path / "hivemind" / "p2p.py").write_text(
        "import os, pathlib\n"
        "class P2P:\n"
        "    @staticmethod\n"
        "    def generate_identity(path): pathlib.Path(path).write_text(str(len(os.listdir(os.path.dirname(path)))))\n"
    )
    (tmp_path / "petals.py").write_text(
        "class AutoDistributedModelForCausalLM:\n"
        "    @classmethod\n"
        "    def from_pretrained(cls, model, **options): return model, options\n"
    )
    program = "import client, json; print(json.dumps(client.open_chain('chain-1', max_retries=3)))"
    environment = {"PYTHONPATH": f"{tmp_path}:{folder}", "PATH": "/usr/bin:/bin"}
    outputs = []
    for _ in range(2):  # the second time, the keys are there
        subprocess.run([sys.executable, "identities.py"], cwd=folder, env=environment, check=True, timeout=60)
        outputs.append((folder / "peers.json").read_text())
    assert outputs[0] == outputs[1]
    peers = json.loads(outputs[0])
    assert len(peers) == len(set(peers.values())) == 6
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=True
    )
    model, options = json.loads(done.stdout)
    assert model == "org/model"
    assert options["allowed_servers"] == [peers[f"server-s{j}"] for j in (2, 3, 4)]
    assert options["initial_peers"] == [f"/dns4/s0/tcp/8000/p2p/{peers['bootstrap']}"]
    calls = run_scripts(folder, tmp_path / "tools")  # the scripts read variables.env
    assert calls["server-s3"].value("--initial_peers") == options["initial_peers"][0]


def test_solution_of_an_unbound_one(tmp_path: Path) -> None:
    """A solution that was read without its instance will do, as the instance is given."""
    instance, solution = two_chains()
    path = tmp_path / "x.sol.json"
    chainopt.write_solution(solution, path)
    unbound: Solution = chainopt.read_solution(path)
    assert len(make_plan(instance, unbound).chains) == 2
