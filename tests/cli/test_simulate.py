"""`chainopt simulate`: every option, what tables and JSON say, and what goes wrong in one line."""

from __future__ import annotations

import csv
import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result

import chainopt
from chainopt.allocation import gca
from chainopt.cli import main
from chainopt.files import read_instance, read_solution
from chainopt.model import Instance, Placement, Server, Service, Workload
from chainopt.queueing import response_time
from chainopt.simulation import POLICIES, simulate
from chainopt.simulation.arrivals import ARRIVALS
from chainopt.simulation.routing import ROUTING
from chainopt.simulation.sizes import SIZES
from chainopt.simulation.traces import azure_code_trace

ROOT = Path(__file__).parents[2]
FEW = ("--jobs", 2000)
TRACE = "arrived_at,num_prefill_tokens,num_decode_tokens\n0,100,3\n1,50,2\n4,70,5\n4.5,60,3\n"
TOKENS = ("--prefill-share", 0.5)


def run(*arguments: object, stdin: str | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)], input=stdin)


def document(*arguments: object, stdin: str | None = None) -> dict[str, Any]:
    """What `--json` says."""
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def only(*arguments: object, stdin: str | None = None) -> dict[str, Any]:
    """The same of the only policy."""
    (policy,) = document(*arguments, stdin=stdin)["policies"]
    return dict(policy)


def refused(*arguments: object, stdin: str | None = None) -> str:
    """The explanation of exit code 2, a single line below the usage; nothing on standard output, no traceback."""
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stdout) == (2, "")
    lines = [line for line in result.stderr.splitlines() if line and not line.startswith(("Usage:", "Try "))]
    assert len(lines) == 1
    assert lines[0].startswith(("chainopt: error: ", "Error: "))
    return lines[0].partition("rror: ")[2]


@pytest.fixture
def files(worked_example: Instance, tmp_path: Path) -> tuple[Path, Path]:
    """The worked example and its solution."""
    return written(worked_example, tmp_path / "x.json")


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """A fast and a slow server, which take 0.5 and 4 s, as two chains of one job each; λ = 1."""
    servers = [
        Server(id=name, memory_gb=2, comm_s=seconds - 0.01, comp_s_per_block=0.01, tags={})
        for name, seconds in (("fast", 0.5), ("slow", 4))
    ]
    service = Service(blocks=1, block_gb=1, cache_gb=1)
    instance = Instance(name="two", service=service, workload=Workload(arrival_rate=1), servers=servers)
    path, solution = written(instance, tmp_path / "two.json")
    answer = json.loads(solution.read_text())
    composition = gca(instance, Placement([0, 0], [1, 1]))
    answer["placement"] = [{"server": name, "start": 0, "stop": 1} for name in ("fast", "slow")]
    answer["chains"] = [
        {"servers": [instance.servers[chain.servers[0]].id], "capacity": 1, "service_time_s": chain.service_time_s}
        for chain in composition.chains
    ]
    answer["evaluation"] = None
    solution.write_text(json.dumps(answer))
    return path, solution


def written(instance: Instance, path: Path) -> tuple[Path, Path]:
    solution = path.with_suffix(".sol.json")
    chainopt.write_instance(instance, path)
    assert CliRunner().invoke(main, ["solve", "--method", "paper", str(path), "-o", str(solution)]).exit_code == 0
    return path, solution


def rows_of(path: Path) -> list[dict[str, str]]:
    """What a CSV file has below its header."""
    return list(csv.DictReader(path.read_text().splitlines()))


def with_thresholds(solution: Path, thresholds: object) -> Path:
    """A solution with these among its parameters."""
    answer = json.loads(solution.read_text())
    answer["parameters"]["thresholds"] = thresholds
    path = solution.with_name("t.sol.json")
    path.write_text(json.dumps(answer))
    return path


class TestOutput:
    """Tables and documents."""

    def test_near_the_exact_mean(self, files: tuple[Path, Path]) -> None:
        """By default JFFC, 200,000 jobs, Poisson arrivals at the instance's rate and exponential sizes."""
        found = document(*files)
        (policy,) = found["policies"]
        exact = response_time(read_solution(files[1]).bind(read_instance(files[0])).composition, 0.7)

        assert (found["instance"], found["jobs"], found["seed"]) == ("worked-example", 200_000, 0)
        assert found["traffic"] == "poisson arrivals, exponential sizes"
        assert (found["arrival_rate"], found["load"]) == (0.7, 0.7 / found["total_service_rate"])
        assert found["exact_mean_response_time_s"] == exact.mean_response_time_s
        assert (policy["policy"], policy["thresholds"], policy["doubts"]) == ("jffc", None, [])
        assert policy["counted_jobs"] == 180_000
        assert policy["mean_response_time_s"] == pytest.approx(exact.mean_response_time_s, rel=0.02)
        assert abs(policy["mean_response_time_s"] - exact.mean_response_time_s) < 2 * policy["half_width_s"]
        assert policy["difference_to_jffc_s"] is None

    def test_sums(self, files: tuple[Path, Path]) -> None:
        """Parts add up: times, shares, Little's law, jobs at chains."""
        policy = only(*files, "--arrival-rate", 4, "--jobs", 50_000, "--policy", "jsq")

        assert policy["response"]["mean_s"] == pytest.approx(policy["mean_response_time_s"])
        parts = policy["service"]["mean_s"] + policy["waiting"]["mean_s"]
        assert parts == pytest.approx(policy["mean_response_time_s"])
        assert sum(chain["share_of_jobs"] for chain in policy["chains"]) == pytest.approx(1)
        running = sum(chain["mean_jobs"] for chain in policy["chains"])
        assert running == pytest.approx(policy["mean_jobs"] - policy["mean_jobs_waiting"])
        assert policy["mean_jobs"] == pytest.approx(4 * policy["mean_response_time_s"], rel=0.05)
        for chain in policy["chains"]:
            assert chain["mean_jobs"] == pytest.approx(chain["utilisation"] * chain["capacity"])
        held = sum(
            chain["mean_jobs"] * dict(zip(chain["servers"], chain["blocks"], strict=True)).get("s2", 0)
            for chain in policy["chains"]
        )
        cache = {server["server"]: server["cache_in_use"] for server in policy["servers"]}
        assert cache["s2"] == pytest.approx(held / 10)  # (3 - 2 · 1) / 0.1 slots
        quantiles = list(policy["response"]["quantiles_s"].values())
        assert list(policy["response"]["quantiles_s"]) == ["0.5", "0.9", "0.95", "0.99", "0.999"]
        assert policy["response"]["least_s"] <= quantiles[0]
        assert quantiles == sorted(quantiles)
        assert quantiles[-1] <= policy["response"]["most_s"]

    def test_table_and_json_agree(self, files: tuple[Path, Path]) -> None:
        """A table of one policy has the figures of the document."""
        options = (*files, *FEW, "--arrival-rate", 4.5, "--policy", "jsq")
        found, table = document(*options), run(*options).stdout
        (policy,) = found["policies"]

        rows = {line[:19].strip(): line[19:].strip() for line in table.splitlines()[1:] if line[:19].strip()}
        assert table.splitlines()[0] == "worked-example: 2000 jobs at 4.5 jobs/s, jsq"
        assert rows["mean response time"] == f"{policy['mean_response_time_s']:.4g} s ± {policy['half_width_s']:.2g}"
        assert rows["exact, of JFFC"] == f"{found['exact_mean_response_time_s']:.4g} s"
        for name in ("service", "waiting"):
            assert f"  {name} " in table
            assert f"{policy[name]['mean_s']:.4g} s ± {policy[name]['half_width_s']:.2g}" in table
        for share, quantile in policy["response"]["quantiles_s"].items():
            width = policy["response"]["quantile_half_widths_s"][share]
            assert rows[f"{100 * float(share):g} % within"] == f"{quantile:.4g} s ± {width:.2g}"
        assert rows["jobs that wait"] == f"{100 * policy['waiting_share']:.3g} %"
        assert rows["jobs in the system"] == f"{policy['mean_jobs']:.4g}"
        assert rows["load"] == f"{found['load']:.4g}"
        for chain in policy["chains"]:
            assert f"{100 * chain['share_of_jobs']:.3g} %" in table
            assert f"{100 * chain['utilisation']:.3g} %" in table
        assert [f"! {doubt}" for doubt in policy["doubts"]] == [r for r in table.splitlines() if r.startswith("!")]

    def test_all_policies(self, files: tuple[Path, Path]) -> None:
        """`--policy all` is a row for each policy there is, with figures as in the document and for each alone."""
        options = (*files, *FEW, "--arrival-rate", 4)
        found, table = document(*options, "--policy", "all"), run(*options, "--policy", "all").stdout.splitlines()
        names = [policy["policy"] for policy in found["policies"]]

        assert names == [*POLICIES, *ROUTING]
        rows = {line.split()[0]: line.split() for line in table[3 : 3 + len(names)]}
        assert list(rows) == names
        for policy in found["policies"]:
            row = rows[policy["policy"]]
            assert row[1:3] == [f"{policy['mean_response_time_s']:.4g}", f"{policy['half_width_s']:.2g}"]
            difference, width = policy["difference_to_jffc_s"], policy["difference_half_width_s"]
            shown = "-" if width is None else f"{width:.2g}"
            assert row[3:5] == (["-", "-"] if difference is None else [f"{difference:.3g}", shown])
            assert (difference is None) == (policy["policy"] == "jffc")
            assert row[-3:] == [f"{policy['response']['quantiles_s'][q]:.4g}" for q in ("0.5", "0.95", "0.99")]
        assert f"exact mean of JFFC: {found['exact_mean_response_time_s']:.4g} s" in table
        for policy in (found["policies"][names.index(name)] for name in ("jffc", "split", "petals")):
            alone = only(*options, "--policy", policy["policy"])
            assert {**alone["response"], **alone["waiting"]} == {**policy["response"], **policy["waiting"]}
            assert alone["chains"] == policy["chains"]

    def test_several_policies(self, files: tuple[Path, Path]) -> None:
        """Policies come in the order in which they are asked for, each once."""
        found = document(*files, *FEW, "--policy", "sed", "--policy", "jffc", "--policy", "sed")

        assert [policy["policy"] for policy in found["policies"]] == ["sed", "jffc"]
        assert found["policies"][0]["difference_to_jffc_s"] is not None

    def test_routes(self, files: tuple[Path, Path]) -> None:
        """Policies that route have routes, without capacities, instead of chains."""
        policy = only(*files, *FEW, "--policy", "ws-rr")
        table = run(*files, *FEW, "--policy", "ws-rr").stdout

        assert {chain["capacity"] for chain in policy["chains"]} == {None}
        assert all(sum(chain["blocks"]) == 3 for chain in policy["chains"])
        assert "s1 (1) > s2 (2)" in table

    def test_output_file(self, files: tuple[Path, Path], tmp_path: Path) -> None:
        """`-o` writes the document beside the table; a dash prints it instead."""
        target = tmp_path / "out.json"
        beside = run(*files, *FEW, "-o", target)

        assert json.loads(target.read_text()) == document(*files, *FEW)
        assert beside.stdout == run(*files, *FEW).stdout
        assert json.loads(run(*files, *FEW, "-o", "-").stdout) == document(*files, *FEW)
        assert json.loads(run(*files, *FEW, "-o", "-", "--json").stdout) == document(*files, *FEW)

    def test_verbose(self, files: tuple[Path, Path]) -> None:
        """`-v` adds the cache of each server, `-q` leaves the table as it is."""
        cache = only(*files, *FEW)["servers"]
        table = run(*files, *FEW, "-v").stdout

        assert "cache in use" in table
        rows = [line.split() for line in table.splitlines()]
        for server in cache:
            assert [server["server"], f"{100 * server['cache_in_use']:.3g}", "%"] in rows
        assert run(*files, *FEW, "-q").stdout == run(*files, *FEW).stdout

    def test_standard_input(self, files: tuple[Path, Path]) -> None:
        """A dash is the instance, or the solution, of standard input, but not both."""
        expected = document(*files, *FEW)

        assert document("-", files[1], *FEW, stdin=files[0].read_text()) == expected
        assert document(files[0], "-", *FEW, stdin=files[1].read_text()) == expected
        assert "only one of INSTANCE, SOLUTION and --trace" in refused("-", "-")
        assert "only one of INSTANCE, SOLUTION and --trace" in refused(files[0], "-", "--trace", "-")


class TestTraffic:
    """What comes."""

    def test_seed(self, files: tuple[Path, Path]) -> None:
        """The same seed gives the same document, another one another."""
        options = (*files, *FEW, "--policy", "all", "--arrivals", "hyperexponential:4")

        assert document(*options, "--seed", 5) == document(*options, "--seed", 5)
        assert document(*options, "--seed", 5)["policies"] != document(*options, "--seed", 6)["policies"]
        assert document(*options, "--seed", 0) == document(*options)

    @pytest.mark.parametrize("law", ["poisson", "deterministic", "hyperexponential:5", "mmpp:10:0.1:60"])
    def test_arrivals(self, law: str, files: tuple[Path, Path]) -> None:
        """Every law of arrivals keeps the rate; the exact mean is that of Poisson arrivals alone."""
        found = document(*files, "--jobs", 40_000, "--arrivals", law, "--arrival-rate", 3, "--warm-up", 0)
        (policy,) = found["policies"]

        assert found["traffic"] == f"{law} arrivals, exponential sizes"
        assert found["arrival_rate"] == 3
        assert policy["counted_jobs"] / policy["duration_s"] == pytest.approx(3, rel=0.15)
        assert (found["exact_mean_response_time_s"] is None) == (law != "poisson")
        assert law.partition(":")[0] in ARRIVALS

    @pytest.mark.parametrize("law", ["exponential", "deterministic", "lognormal:0.5"])
    def test_sizes(self, law: str, files: tuple[Path, Path]) -> None:
        """Every law of sizes keeps the mean."""
        found = document(*files, "--jobs", 40_000, "--sizes", law)
        (policy,) = found["policies"]

        assert found["traffic"] == f"poisson arrivals, {law} sizes"
        assert policy["service"]["mean_s"] == pytest.approx(3.052, rel=0.02)
        assert (found["exact_mean_response_time_s"] is None) == (law != "exponential")
        assert law.partition(":")[0] in SIZES
        if law == "deterministic":
            assert policy["service"]["least_s"] == pytest.approx(3.05)

    def test_warm_up_and_batches(self, files: tuple[Path, Path]) -> None:
        """Fewer jobs count with a longer warm-up, and half widths depend on the batches."""
        assert only(*files, *FEW, "--warm-up", 0.25)["counted_jobs"] == 1500
        assert only(*files, *FEW, "--warm-up", 0)["counted_jobs"] == 2000
        few, many = (only(*files, *FEW, "--batches", n) for n in (2, 100))
        assert few["response"]["quantiles_s"] == many["response"]["quantiles_s"]
        assert few["half_width_s"] != many["half_width_s"]

    @pytest.mark.parametrize("jobs", [2, 3, 19, 21])
    def test_few_jobs(self, jobs: int, files: tuple[Path, Path]) -> None:
        """Fewer jobs than batches have figures, and a doubt."""
        found = document(*files, "--jobs", jobs, "--policy", "all", "--warm-up", 0)

        assert all(policy["counted_jobs"] == jobs for policy in found["policies"])
        assert all("batches last" in policy["doubts"][0] for policy in found["policies"])
        assert run(*files, "--jobs", jobs, "--policy", "all", "--warm-up", 0).exit_code == 0

    def test_one_job(self, files: tuple[Path, Path]) -> None:
        """One job has a response time, without an interval."""
        policy = only(*files, "--jobs", 1)

        assert policy["counted_jobs"] == 1
        assert policy["mean_response_time_s"] > 0
        assert policy["half_width_s"] is None
        assert run(*files, "--jobs", 1).exit_code == 0

    @pytest.mark.parametrize("policy", ["jffc", "thresholds", "jsq", "ws-rr"])
    def test_too_much(self, policy: str, files: tuple[Path, Path]) -> None:
        """Above a load of 1 the run is done all the same, and a doubt says the load."""
        options = (*files, *FEW, "--arrival-rate", 6, "--policy", policy)
        result = run(*options)
        found = document(*options)

        assert result.exit_code == 0
        assert "! the load is 1.24: the queue grows for as long as jobs come" in result.stdout.splitlines()
        assert found["load"] == pytest.approx(6 / 4.854811590665636)
        assert found["exact_mean_response_time_s"] is None
        assert ("thresholds are all 1" in result.stderr) == (policy == "thresholds")

    def test_doubts_of_some(self, files: tuple[Path, Path]) -> None:
        """What is doubted of all policies names none."""
        result = run(*files, "--jobs", 100, "--arrival-rate", 4, "--policy", "jffc", "--policy", "jsq")

        (doubt,) = [line for line in result.stdout.splitlines() if line.startswith("! batches")]
        assert doubt.startswith("! batches last")
        assert "simulate" in doubt

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--arrivals", "foo"], "expected one of poisson, deterministic, hyperexponential:SCV, mmpp:"),
            (["--arrivals", "hyperexponential"], "expected hyperexponential:SCV, got 'hyperexponential'"),
            (["--arrivals", "hyperexponential:1"], "scv: expected a finite number above 1, got 1"),
            (["--arrivals", "mmpp:1:2"], "expected mmpp:RATIO:SHARE:BURST_S"),
            (["--sizes", "foo"], "expected one of exponential, deterministic, lognormal:SCV"),
            (["--sizes", "lognormal:nan"], "expected a number for SCV, got 'nan'"),
            (["--policy", "fifo"], "--policy: expected one of jffc, thresholds, jsq"),
            (["--policy", "all", "--policy", "fifo"], "--policy: expected one of jffc, thresholds, jsq"),
            (["--jobs", "0"], "0 is not in the range 1<=x<=10000000000"),
            (["--jobs", "1.5"], "'1.5' is not a valid integer range"),
            (["--arrival-rate", "0"], "expected a finite number above 0, got '0'"),
            (["--arrival-rate", "nan"], "expected a finite number above 0, got 'nan'"),
            (["--arrival-rate", "inf"], "expected a finite number above 0, got 'inf'"),
            (["--arrival-rate", "1e-300"], "--arrival-rate: 200000 jobs at 1e-300 jobs/s last more than"),
            (["--arrival-rate", "1e-308"], "--arrival-rate: 200000 jobs at 1e-308 jobs/s last more than"),
            (["--arrival-rate", "1e300"], "--arrival-rate: 1e+300 jobs/s are more than 1e+12 times the total service"),
            (["--warm-up", "0.95"], "0.95 is not in the range 0<=x<=0.9"),
            (["--warm-up", "nan"], "--warm-up: expected a number from 0 to 0.9, got nan"),
            (["--batches", "1"], "1 is not in the range 2<=x<=1000"),
            (["--seed", "-1"], "-1 is not in the range x>=0"),
            (["--first", "2"], "--first needs --trace"),
            (["--between", "0", "1"], "--between needs --trace"),
            (["--mean-tokens", "5:5"], "--mean-tokens needs --trace"),
            (["--prefill-share", "0"], "--prefill-share needs --trace"),
            (["--trace-format", "azure"], "--trace-format needs --trace"),
            (["--records", "x.csv", "--policy", "all"], "--records takes the jobs of one --policy"),
            (["--records", "x.csv", "--policy", "jsq", "--policy", "jffc"], "--records takes the jobs of one --policy"),
            (["--records", "-", "--json"], "only one of --records and the JSON document can go to standard output"),
            (["--records", "-", "-o", "-"], "only one of --records and the JSON document can go to standard output"),
            (["--records", "nowhere/x.csv"], "nowhere/x.csv: cannot be written: No such file or directory"),
            (["--plot", "x.jpg"], "x.jpg: expected a name that ends in .svg, .png, .pdf"),
            (["--plot", "-"], "-: expected a name that ends in .svg, .png, .pdf"),
        ],
    )
    def test_refused(self, options: list[str], message: str, files: tuple[Path, Path]) -> None:
        """Exit code 2 and one line; nothing is written."""
        assert message in refused(*files, *options)
        assert sorted(path.name for path in files[0].parent.iterdir()) == ["x.json", "x.sol.json"]

    def test_files_that_do_not_fit(self, files: tuple[Path, Path], two: tuple[Path, Path]) -> None:
        """A solution of another instance, or without chains, is bad input."""
        assert "not a composition of 'two'" in refused(two[0], files[1])
        answer = json.loads(files[1].read_text())
        files[1].write_text(json.dumps({**answer, "chains": [], "evaluation": None}))
        assert refused(*files) == f"{files[1]}: chains: it has no chain to evaluate"
        assert "No such file" in refused(files[0], "nowhere.json")


class TestThresholds:
    """Where they come from."""

    def test_recommended(self, two: tuple[Path, Path]) -> None:
        """Without any in the solution the recommended ones are used, and JFFC beside them is JFFC."""
        rates = [1 / 0.5, 1 / 4]
        found = document(*two, "--jobs", 50_000, "--policy", "jffc", "--policy", "thresholds")
        jffc, thresholds = found["policies"]

        assert thresholds["thresholds"] == chainopt_thresholds(rates, [1, 1], 1)
        assert thresholds["thresholds"][1] > 1
        assert jffc["thresholds"] is None
        # the slow server is used less, so jobs wait more and still leave earlier
        assert jffc["chains"][1]["share_of_jobs"] > 2 * thresholds["chains"][1]["share_of_jobs"]
        assert jffc["waiting_share"] < thresholds["waiting_share"]
        assert thresholds["difference_to_jffc_s"] + thresholds["difference_half_width_s"] < 0
        exact = found["exact_mean_response_time_s"]
        assert abs(jffc["mean_response_time_s"] - exact) < 2 * jffc["half_width_s"]
        assert jffc == document(*two, "--jobs", 50_000)["policies"][0]

    def test_of_the_solution(self, two: tuple[Path, Path]) -> None:
        """Those of the solution go first, and stand in the table."""
        mine = with_thresholds(two[1], [1, 1000])
        policy = only(two[0], mine, *FEW, "--policy", "thresholds")

        assert policy["thresholds"] == [1, 1000]
        assert [chain["share_of_jobs"] for chain in policy["chains"]] == [1, 0]
        assert "thresholds          1 1000" in run(two[0], mine, *FEW, "--policy", "thresholds").stdout
        assert only(two[0], mine, *FEW)["thresholds"] is None

    @pytest.mark.parametrize(
        ("thresholds", "message"),
        [
            ([1], "thresholds have the shape (1,), expected (2,)"),
            ([2, 1], "expected the threshold 1 for chain 0, the fastest, got 2"),
            ([1, 1.5], "expected whole thresholds from 1 to 10^15"),
            ([1, None], "expected whole thresholds"),
            ("many", "could not convert"),
            ({"slow": 3}, "must be"),
            (True, "thresholds have the shape ()"),
        ],
    )
    def test_that_are_none(self, thresholds: object, message: str, two: tuple[Path, Path]) -> None:
        """Thresholds of a solution that are none are bad input."""
        mine = with_thresholds(two[1], thresholds)
        text = refused(two[0], mine, *FEW, "--policy", "thresholds")

        assert text.startswith(f"{mine}: parameters.thresholds: ")
        assert message in text


def chainopt_thresholds(rates: list[float], capacities: list[int], arrival_rate: float) -> list[int]:
    from chainopt.dispatch import thresholds

    return [int(threshold) for threshold in thresholds(rates, capacities, arrival_rate)]


class TestTraces:
    """Recorded requests."""

    @pytest.fixture
    def trace(self, tmp_path: Path) -> Path:
        """Four requests, at 0, 1, 4 and 4.5 s."""
        path = tmp_path / "trace.csv"
        path.write_text(TRACE)
        return path

    def test_bundled(self, files: tuple[Path, Path]) -> None:
        """The trace that comes along goes by its name, all of it, to the last departure, without a warm-up."""
        found = document(*files, "--trace", "azure-code-2023", *TOKENS)
        trace = azure_code_trace()
        (policy,) = found["policies"]

        assert (found["jobs"], found["arrival_rate"]) == (trace.requests, pytest.approx(trace.rate))
        assert policy["counted_jobs"] == trace.requests
        assert policy["duration_s"] >= trace.span_s
        assert "2048 tokens in and 28 out" in found["traffic"]
        assert policy["doubts"] == ["a trace is one realization: intervals say how much its parts differ"]
        assert found["exact_mean_response_time_s"] is None
        assert run(*files, "--trace", "azure-code-2023", *TOKENS).stdout.splitlines()[-1].startswith("! a trace is one")

    def test_file_by_hand(self, two: tuple[Path, Path], trace: Path) -> None:
        """Each request takes its time by its tokens."""
        # Times are of 70 tokens in and 3 out, of which 2 in steps, of the fast server: 0.49 s in 3 exchanges; 0.01 s a
        # block, of which 0.001 fixed, 0.0045 for 70 tokens, 0.0045 for 2 steps.
        # 100, 3: 0.491 + 0.0045 (100/70 + 1) = 0.501929; 50, 2: 0.49 · 2/3 + 0.001 + 0.0045 (50/70 + 1/2) = 0.333131
        # 70, 5: 0.49 · 5/3 + 0.001 + 0.0045 (1 + 2) = 0.831167, on the fast server from 4 to 4.831;
        # 60, 3 comes at 4.5: 3.99 + 0.001 + 0.0045 (60/70 + 1) = 3.999357 on the slow one
        target = trace.with_name("jobs.csv")
        policy = only(*two, "--trace", trace, "--mean-tokens", "70:3", *TOKENS, "--records", target)

        rows = rows_of(target)
        times = [float(row["departure_s"]) - float(row["start_s"]) for row in rows]
        assert times == pytest.approx([0.501929, 0.333131, 0.831167, 3.999357], abs=1e-6)
        assert [row["chain"] for row in rows] == ["0", "0", "0", "1"]
        assert policy["mean_response_time_s"] == pytest.approx(sum(times) / 4)
        assert policy["duration_s"] == pytest.approx(4.5 + 3.999357)

    def test_standard_input(self, two: tuple[Path, Path], trace: Path) -> None:
        """A dash is a trace of standard input."""
        found = document(*two, "--trace", "-", *TOKENS, stdin=TRACE)

        assert found["traffic"].startswith("requests of standard input")
        assert found["policies"] == document(*two, "--trace", trace, *TOKENS)["policies"]

    def test_cuts(self, two: tuple[Path, Path], trace: Path) -> None:
        """`--first`, `--jobs`, `--between` and `--arrival-rate` cut and stretch the trace."""
        options = (*two, "--trace", trace, *TOKENS)
        whole = document(*options)

        assert (whole["jobs"], whole["arrival_rate"]) == (4, 3 / 4.5)
        assert document(*options, "--first", 3)["arrival_rate"] == 2 / 4
        assert document(*options, "--first", 3)["policies"] == document(*options, "--jobs", 3)["policies"]
        assert document(*options, "--jobs", 99) == whole
        between = document(*options, "--between", 1, 4.5)
        assert (between["jobs"], between["arrival_rate"]) == (2, 1 / 3)
        both = document(*options, "--between", 1, 9, "--first", 2)
        assert (both["jobs"], both["arrival_rate"]) == (2, 1 / 3)
        assert document(*options, "--between", 1, math.inf)["jobs"] == 3
        scaled = document(*options, "--arrival-rate", 0.01)
        assert scaled["arrival_rate"] == pytest.approx(0.01)
        assert scaled["policies"][0]["waiting_share"] == 0
        assert document(*options, "--between", 1, 9, "--arrival-rate", 5)["arrival_rate"] == pytest.approx(5)

    def test_drawn_sizes(self, two: tuple[Path, Path], trace: Path) -> None:
        """With `--sizes` the trace gives the arrivals alone, and its tokens need no split."""
        found = document(*two, "--trace", trace, "--sizes", "deterministic")

        # jobs of 0.5 s at 0, 1, 4 and 4.5: completions come before arrivals, so all run on the fast server
        assert found["traffic"] == f"arrivals of {trace}, deterministic sizes"
        assert found["policies"][0]["mean_response_time_s"] == pytest.approx(0.5)
        assert found["policies"][0]["duration_s"] == 5

    def test_formats(self, two: tuple[Path, Path], trace: Path) -> None:
        """The format can be said, and must fit."""
        options = (*two, "--trace", trace, *TOKENS)

        assert document(*options, "--trace-format", "vidur") == document(*options)
        assert "trace.csv:1: TIMESTAMP: expected one such column" in refused(*options, "--trace-format", "azure")
        assert "expected one of azure, vidur, splitwise, got 'xls'" in refused(*options, "--trace-format", "xls")

    def test_routing(self, two: tuple[Path, Path], trace: Path) -> None:
        """Policies that route take the demands of a trace too."""
        found = document(*two, "--trace", trace, *TOKENS, "--policy", "all")

        assert [policy["counted_jobs"] for policy in found["policies"]] == [4] * (len(POLICIES) + len(ROUTING))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", ": expected a header and requests, got an empty file"),
            (TRACE.replace("\n1,50", "\n1,many"), ":3: num_prefill_tokens: expected"),
            (TRACE.replace("\n4,70", "\n0.5,70"), ":4: "),
            (TRACE.replace("\n4,70,5", "\n4,70"), ":4: expected 3 values as in the header, got 2"),
            (TRACE.splitlines()[0] + "\n", ":2: expected at least one request"),
            ("a,b\n1,2\n", ":1: expected the columns of a known format"),
        ],
    )
    def test_malformed(self, text: str, message: str, two: tuple[Path, Path], trace: Path) -> None:
        """A bad line is named by its number, of a file and of standard input."""
        trace.write_text(text)

        assert refused(*two, "--trace", trace, *TOKENS).startswith(f"{trace}{message}")
        assert refused(*two, "--trace", "-", *TOKENS, stdin=text).startswith(f"standard input{message}")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--arrivals", "poisson"], "--arrivals and --trace exclude each other"),
            (["--first", "5"], "trace.csv: expected 1 to 4 requests, got 5"),
            (["--between", "5", "1"], "trace.csv: no request arrives from 5 s on and before 1 s"),
            (["--between", "2", "3"], "trace.csv: no request arrives from 2 s on and before 3 s"),
            (["--between", "0", "nan"], "--between: expected two numbers of seconds, got nan"),
            (["--between", "nan", "9"], "--between: expected two numbers of seconds, got nan"),
            (["--first", "1"], "expected jobs that come at different times"),
            (["--first", "1", "--arrival-rate", "3"], "trace.csv: expected requests that come at different times"),
            (["--mean-tokens", "0:5"], "--mean-tokens: expected two whole numbers from 1"),
            (["--mean-tokens", "5"], "--mean-tokens: expected two whole numbers from 1"),
            (["--mean-tokens", "5:x"], "--mean-tokens: expected two whole numbers from 1"),
            (["--mean-tokens", "5:1"], "prefill_share: expected 1 if tokens_out is 1"),
            (["--prefill-share", "2"], "prefill_share: expected a finite number from 0 to 1, got 2"),
            (["--prefill-share", "nan"], "prefill_share: expected a finite number from 0 to 1, got nan"),
            (["--arrival-rate", "1e-200"], "--arrival-rate: 4 jobs at 1e-200 jobs/s last more than"),
        ],
    )
    def test_refused(self, options: list[str], message: str, two: tuple[Path, Path], trace: Path) -> None:
        """What makes no sense of this trace is said in one line."""
        assert message in refused(*two, "--trace", trace, *TOKENS, *options)

    def test_no_split(self, two: tuple[Path, Path], trace: Path) -> None:
        """Where the catalogue does not know the GPU the error says what to give instead."""
        assert "or give prefill_share" in refused(*two, "--trace", trace)
        assert "nowhere.csv: cannot be read: No such file" in refused(*two, "--trace", "nowhere.csv")


class TestRecords:
    """What became of each job."""

    def test_csv(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        """Every job is there, and the same arrivals and sizes give the same again."""
        target = tmp_path / "jobs.csv"
        policy = only(*two, *FEW, "--records", target, "--warm-up", 0, "--batches", 30)

        rows = rows_of(target)
        columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
        assert columns["job"].tolist() == list(range(2000))
        response = columns["departure_s"] - columns["arrival_s"]
        assert policy["response"]["mean_s"] == pytest.approx(response.mean(), rel=1e-12)
        sizes = (columns["departure_s"] - columns["start_s"]) / np.array([0.5, 4])[columns["chain"].astype(int)]
        again = simulate([2, 0.25], [1, 1], "jffc", arrivals=columns["arrival_s"], sizes=sizes)
        np.testing.assert_array_equal(again.chain, columns["chain"])
        np.testing.assert_allclose(again.start, columns["start_s"], rtol=1e-12)

    def test_parquet(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        """Parquet has the same numbers as CSV."""
        parquet = pytest.importorskip("pyarrow.parquet")
        for name in ("jobs.csv", "jobs.parquet"):
            assert run(*two, *FEW, "--records", tmp_path / name).exit_code == 0

        table = parquet.ParquetFile(tmp_path / "jobs.parquet").read().to_pydict()
        rows = rows_of(tmp_path / "jobs.csv")
        for name, column in table.items():
            assert column == [float(row[name]) for row in rows]

    def test_standard_output(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        """A dash prints the records, and nothing else; the document may go to a file."""
        assert run(*two, *FEW, "--records", tmp_path / "jobs.csv").exit_code == 0
        printed = run(*two, *FEW, "--records", "-", "-o", tmp_path / "out.json")

        assert printed.stdout == (tmp_path / "jobs.csv").read_text()
        assert json.loads((tmp_path / "out.json").read_text()) == document(*two, *FEW)

    def test_nothing_is_left_of_what_fails(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        """Records of a run that cannot be are not written."""
        message = refused(*two, "--records", tmp_path / "jobs.csv", "--arrival-rate", "1e-300")

        assert "last more than" in message
        assert not (tmp_path / "jobs.csv").exists()

    def test_interrupt(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        """Ctrl-C exits with 130 and one line, and leaves no part of the records."""
        folder = tmp_path / "out"
        folder.mkdir()
        arguments = [*two, "--jobs", 10**9, "--records", folder / "jobs.csv"]
        command = [sys.executable, "-m", "chainopt", "simulate", *map(str, arguments)]
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
        )
        try:
            until = time.monotonic() + 60
            while not any(path.stat().st_size > 10**6 for path in folder.iterdir()):
                assert child.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
            child.send_signal(signal.SIGINT)
            output, errors = child.communicate(timeout=60)
        finally:
            child.kill()

        assert (child.returncode, output) == (130, "")
        assert errors.splitlines()[-1] == "chainopt: interrupted"
        assert "Traceback" not in errors
        assert list(folder.iterdir()) == []


class TestPlot:
    """Response time against load."""

    def test_formats(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        """A valid SVG and a PNG, beside the usual table."""
        pytest.importorskip("matplotlib")
        svg, png = tmp_path / "x.svg", tmp_path / "x.png"
        few = (*two, "--jobs", 300, "--policy", "jffc", "--policy", "thresholds")
        table = run(*few).stdout

        assert run(*few, "--plot", svg).stdout == table
        assert run(*few, "--plot", png).stdout == table
        assert ElementTree.parse(svg).getroot().tag.endswith("svg")
        for text in ("two", "thresholds", "JFFC, exact"):
            assert f"<!-- {text} -->" in svg.read_text()
        assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"

    def test_of_a_trace(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        """A trace is stretched to every load."""
        pytest.importorskip("matplotlib")
        target = tmp_path / "x.svg"
        result = run(*two, "--trace", "-", *TOKENS, "--policy", "ws-rr", "--plot", target, stdin=TRACE)

        assert (result.exit_code, result.stderr) == (0, "")
        ElementTree.parse(target)


def test_one_file_for_two_things(files: tuple[Path, Path], tmp_path: Path) -> None:
    """What would overwrite the other output is refused before anything is simulated."""
    target = tmp_path / "out.csv"
    result = run(*files, "--records", target, "-o", target)

    assert result.exit_code == 2
    assert "name the same file" in result.stderr
    assert not target.exists()


def test_more_jobs_than_the_trace_has(files: tuple[Path, Path], tmp_path: Path) -> None:
    """All there are is simulated, and a note says so."""
    trace = tmp_path / "trace.csv"
    trace.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0,10,2\n1,10,2\n")
    result = run(*files, "--trace", trace, "--sizes", "exponential", "--jobs", 5)

    assert result.exit_code == 0
    assert "the trace has 2 requests, fewer than --jobs asks for" in result.stderr
