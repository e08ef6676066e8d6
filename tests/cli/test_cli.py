"""The command line: what goes where, and with which exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import chainopt
from chainopt.cli import COMMANDS, main
from chainopt.model import Instance

ROOT = Path(__file__).parents[2]


def run(*arguments: object, stdin: str | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture
def files(worked_example: Instance, tmp_path: Path) -> tuple[Path, Path]:
    """The worked example and its solution."""
    instance, solution = tmp_path / "x.json", tmp_path / "x.sol.json"
    chainopt.write_instance(worked_example, instance)
    assert run("solve", "--method", "paper", instance, "-o", solution).exit_code == 0
    return instance, solution


def changed(instance: Instance, path: Path, **service: object) -> Path:
    chainopt.write_instance(instance.replace(service=instance.service.replace(**service)), path)
    return path


def test_help_names_every_command() -> None:
    """`--help` lists the commands, and each has its own help with an example."""
    listed = run("--help").stdout
    manual = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"  {name} " in listed
        assert f"## chainopt {name}" in manual
        text = run(name, "--help")
        assert text.exit_code == 0
        assert "Example" in text.stdout


def test_version() -> None:
    """The version stands in one place."""
    assert run("--version").stdout == f"chainopt {chainopt.__version__}\n"


def test_solve_writes_what_check_accepts(files: tuple[Path, Path]) -> None:
    """The main path: solve, check, evaluate."""
    checked = run("check", *files)
    assert (checked.exit_code, checked.stdout) == (0, "valid: 5 servers, 3 chains, status feasible\n")
    evaluated = run("evaluate", *files)
    assert evaluated.exit_code == 0
    assert "mean response time" in evaluated.stdout


def test_solve_shows_a_table(files: tuple[Path, Path]) -> None:
    """Figures and chains on standard output, nothing else."""
    result = run("solve", "--method", "paper", files[0])
    assert "worked-example: feasible" in result.stdout
    assert "s1 (1) > s2 (2)" in result.stdout
    assert result.stdout.isprintable() or all(line.isprintable() for line in result.stdout.splitlines())


def test_solve_json_is_the_solution_file(files: tuple[Path, Path]) -> None:
    """`--json` prints what `-o` writes, but for the time it took."""
    printed = json.loads(run("solve", "--method", "paper", files[0], "--json").stdout)
    written = json.loads(files[1].read_text())
    assert printed.pop("runtime_s") >= 0
    assert written.pop("runtime_s") >= 0
    assert printed == written
    to_stdout = json.loads(run("solve", "--method", "paper", files[0], "-o", "-").stdout)
    assert to_stdout["chains"] == written["chains"]


def test_standard_input(files: tuple[Path, Path]) -> None:
    """A dash reads the instance from standard input."""
    result = run("solve", "--method", "paper", "-", "--json", stdin=files[0].read_text())
    assert json.loads(result.stdout)["status"] == "feasible"


def test_several_instances(files: tuple[Path, Path], worked_example: Instance, tmp_path: Path) -> None:
    """A line each, a file each, an array of documents."""
    other = changed(worked_example.replace(name="other"), tmp_path / "y.json", cache_gb=0.2)
    table = run("solve", "--method", "paper", files[0], other)
    assert table.exit_code == 0
    assert [line.split()[0] for line in table.stdout.splitlines()[2:]] == ["worked-example", "other"]
    assert [
        d["instance"]["name"] for d in json.loads(run("solve", "--method", "paper", files[0], other, "--json").stdout)
    ] == [
        "worked-example",
        "other",
    ]
    folder = tmp_path / "out"
    folder.mkdir()
    assert run("solve", "--method", "paper", files[0], other, "-o", folder).exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["other.sol.json", "worked-example.sol.json"]
    missing = run("solve", "--method", "paper", files[0], other, "-o", tmp_path / "nowhere")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "expected a directory that exists" in missing.stderr


def test_a_name_is_not_a_path(worked_example: Instance, tmp_path: Path) -> None:
    """The name of an instance cannot lead out of the folder."""
    path = tmp_path / "x.json"
    chainopt.write_instance(worked_example.replace(name="../../evil"), path)
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    result = run("solve", "--method", "paper", path, "-o", folder)
    assert result.exit_code == 2
    assert "cannot be that of a file" in result.stderr
    assert list(tmp_path.rglob("*evil*")) == []


def test_infeasible(worked_example: Instance, tmp_path: Path) -> None:
    """Exit code 1, what is missing on standard error, and a solution file that says so."""
    path, target = changed(worked_example, tmp_path / "x.json", blocks=12), tmp_path / "x.sol.json"
    result = run("solve", "--method", "paper", path, "-o", target)
    assert result.exit_code == 1
    assert "infeasible: no composition exists" in result.stderr
    assert "6 of the blocks" in result.stderr
    assert json.loads(target.read_text())["status"] == "infeasible"
    assert run("check", path, target).exit_code == 0


def test_unstable(worked_example: Instance, tmp_path: Path) -> None:
    """Exit code 1 too, but another status, and the best there is."""
    path = tmp_path / "x.json"
    chainopt.write_instance(worked_example.replace(workload=worked_example.workload.replace(arrival_rate=9)), path)
    result = run("solve", "--method", "paper", path, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["status"]) == (1, "unstable")
    assert document["chains"]
    assert document["evaluation"]["mean_response_time_s"] is None
    assert "unstable: no stable composition found" in result.stderr


def test_check_lists_violations(files: tuple[Path, Path]) -> None:
    """Exit code 1 and a line for each violation."""
    files[1].write_text(files[1].read_text().replace('"capacity": 5', '"capacity": 6'))
    result = run("check", *files)
    assert result.exit_code == 1
    assert "placement[0]: server 's1' has 10 cache slots, its chains use 12" in result.stdout
    document = json.loads(run("check", *files, "--json").stdout)
    assert document["valid"] is False
    assert document["violations"][0]["place"] == "placement[0]"


def test_evaluate_at_another_rate(files: tuple[Path, Path], tmp_path: Path) -> None:
    """The rate can be given; at or above the total service rate the answer is negative."""
    document = json.loads(run("evaluate", *files, "--arrival-rate", 4, "--json").stdout)
    assert document["arrival_rate"] == 4
    assert document["evaluation"]["load"] == pytest.approx(4 / 4.854811590665636)
    assert sum(chain["share_of_jobs"] for chain in document["chains"]) == pytest.approx(1)
    busy = sum(chain["utilisation"] * chain["capacity"] for chain in document["chains"])
    assert busy == pytest.approx(4 * document["evaluation"]["mean_service_time_s"])  # Little
    assert list(document["quantiles_s"].values()) == sorted(document["quantiles_s"].values())
    too_much = run("evaluate", *files, "--arrival-rate", 4.86)
    assert too_much.exit_code == 1
    assert "not below the total service rate" in too_much.stderr
    target = tmp_path / "e.json"
    assert run("evaluate", *files, "-o", target).exit_code == 0
    assert json.loads(target.read_text())["instance"] == "worked-example"


def test_evaluate_refuses_what_is_no_composition(files: tuple[Path, Path]) -> None:
    """A solution that does not fit is bad input."""
    files[1].write_text(files[1].read_text().replace('"stop": 3', '"stop": 2', 1))
    result = run("evaluate", *files)
    assert result.exit_code == 2
    assert "not a composition of 'worked-example'" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["solve"],
        ["solve", "--criterion", "best", "x.json"],
        ["solve", "--cache-reservation", "0", "x.json"],
        ["solve", "--cache-reservation", "many", "x.json"],
        ["solve", "--time-limit", "0", "x.json"],
        ["solve", "--engine", "sizes", "x.json"],
        ["solve", "--method", "exact", "--stop", "rate", "x.json"],
        ["solve", "--method", "exact", "--engine", "magic", "x.json"],
        ["solve", "--seed", "-1", "x.json"],
        ["solve", "--seed", "99999999999999999999", "x.json"],
        ["check", "-", "-"],
        ["solve", "--time-limit", "nan", "x.json"],
        ["solve", "--method", "magic", "x.json"],
        ["solve", "nowhere.json"],
        ["check", "x.json"],
        ["check", "x.json", "nowhere.json"],
        ["evaluate", "x.json", "x.sol.json", "--arrival-rate", "-1"],
        ["evaluate", "x.json", "x.sol.json", "--arrival-rate", "nan"],
        ["evaluate", "x.json", "x.sol.json", "--arrival-rate", "inf"],
        ["catalog", "cars"],
        ["frobnicate"],
        ["--frobnicate"],
    ],
)
def test_bad_usage(arguments: list[str], files: tuple[Path, Path]) -> None:
    """Exit code 2, one explanation on standard error, nothing on standard output, no traceback."""
    folder = files[0].parent
    named = [str(folder / a) if a.endswith(".json") else a for a in arguments]
    result = run(*named)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "rror" in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["x.json", "x.sol.json"]


def test_bad_file_leaves_no_output(tmp_path: Path) -> None:
    """Nothing is written where the input is bad."""
    bad = tmp_path / "bad.json"
    bad.write_text('{"format": "chainopt-instance/1",\n "name": 3}')
    result = run("solve", "--method", "paper", bad, "-o", tmp_path / "out.json")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"chainopt: error: {bad}:")
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["bad.json"]


def test_methods_and_catalog() -> None:
    """The registries, as tables and as JSON."""
    for command in (["methods"], ["catalog", "models"], ["catalog", "gpus"], ["catalog", "networks"]):
        entries = json.loads(run(*command, "--json").stdout)
        table = run(*command).stdout
        assert len(table.splitlines()) == len(entries) + 2
        assert all(entry["name"] in table for entry in entries)


def test_catalog_reads_a_config(tmp_path: Path) -> None:
    """A config.json of Hugging Face becomes a row."""
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps({"model_type": "bloom", "n_layer": 70, "n_head": 112, "hidden_size": 14336, "vocab_size": 250880})
    )
    (entry,) = json.loads(
        run("catalog", "models", "--config", config, "--precision", "nf4", "--tokens", 2020, "--json").stdout
    )
    assert entry["blocks"] == 70
    assert entry["block_gb"] == pytest.approx(1.3234, abs=1e-4)
    assert entry["cache_gb"] == 0.11583488  # 2 · 14336 · 2 B · 2020


def process(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chainopt", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_help_loads_nothing_heavy() -> None:
    """`--help` is quick because it imports neither numpy nor pydantic nor numba."""
    code = (
        "import sys\nfrom chainopt.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(*{'numpy', 'pydantic', 'numba', 'scipy', 'rich'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr.split() == []


def test_compilation_is_announced_once(files: tuple[Path, Path], tmp_path: Path) -> None:
    """The first run says on standard error that it compiles, the second says nothing; `-q` neither."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first, second = (process("evaluate", *files, "--json", env=environment) for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert "compiling" in first.stderr
    assert len(first.stderr.splitlines()) == 1
    assert second.stderr == ""
    assert json.loads(first.stdout) == json.loads(second.stdout)


def test_closed_pipe(files: tuple[Path, Path]) -> None:
    """A reader that leaves early is no crash."""
    script = f"set -o pipefail; {sys.executable} -m chainopt catalog gpus | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() in {"0", "1"}


def test_interrupt(tmp_path: Path) -> None:
    """Ctrl-C exits with 130 and a line, without a traceback."""
    fifo = tmp_path / "never.json"
    os.mkfifo(fifo)
    child = subprocess.Popen(
        [sys.executable, "-m", "chainopt", "solve", str(fifo)], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    with fifo.open("w"):  # opens once the child reads
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert errors.strip() == "chainopt: interrupted"


def test_no_color(files: tuple[Path, Path]) -> None:
    """No escape sequences in what is piped, with or without NO_COLOR."""
    for extra in ({}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}):
        done = process("evaluate", *files, env={**os.environ, **extra})
        assert "\x1b" not in done.stdout + done.stderr
