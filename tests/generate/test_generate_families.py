"""All families: valid, reproducible, named after what they are."""

from __future__ import annotations

import decimal
import hashlib
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainopt.cli import main
from chainopt.errors import FormatError
from chainopt.facade import compose
from chainopt.files import instance_text, read_instance, write_instance
from chainopt.generate import FAMILIES, BloomParameters, HomogeneousParameters, TinyParameters, Traffic, rate_bound
from chainopt.generate.options import Count, Flag, Option, Quantity, options_of
from chainopt.model import Server, Service

if TYPE_CHECKING:
    from chainopt.generate import Family

DOCS = Path(__file__).parents[2] / "docs" / "instances.md"
EVERY = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
DIGESTS = {
    "tiny": "2c8ede8636f12f85",
    "random": "23f28d7024688193",
    "homogeneous": "c407ceb70f4c09fe",
    "bloom": "980b2231d9c8bd9e",
    "llama": "9f8d53a7b6d687b2",
    "mig": "85745fce39e9721a",
    "topology": "e2ac0e6febad257c",
}
"""SHA-256 of the default instance with seed 1, the first 16 digits. They never change."""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@EVERY
def test_bytes_are_pinned(family: Family[Any]) -> None:
    """The default instance with seed 1 is the same for good, whatever Python, numpy and machine."""
    assert digest(instance_text(family.instance(seed=1))) == DIGESTS[family.name]


@EVERY
def test_caller_cannot_change_the_bytes(family: Family[Any]) -> None:
    """Neither the caller's decimal context nor the state of the module random has a say."""
    expected = instance_text(family.instance(seed=2))
    random.seed(99)
    with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_UP)):
        instance = family.instance(seed=2)
    assert instance_text(instance) == expected


@EVERY
def test_default_instance_survives_its_file(family: Family[Any], tmp_path: Path) -> None:
    """An instance that is written and read again is the same."""
    instance = family.instance(seed=5)
    write_instance(instance, tmp_path / "x.json")
    assert read_instance(tmp_path / "x.json") == instance


@EVERY
def test_default_instance_can_be_served(family: Family[Any]) -> None:
    """The default of each family has a composition that carries its load."""
    solution = compose(family.instance(), "paper")
    assert solution.evaluation is not None
    assert solution.evaluation.load is not None
    assert solution.evaluation.load < 1


@EVERY
def test_seed_decides_what_is_drawn(family: Family[Any]) -> None:
    """Other seeds give other servers, except where there is nothing to draw."""
    same = family.instance(seed=1).servers == family.instance(seed=2).servers
    assert same == (family.name == "homogeneous")


@EVERY
def test_name_is_the_users_to_choose(family: Family[Any]) -> None:
    """The name is the family and the seed unless another is given."""
    assert family.instance(seed=3).name.startswith(f"{family.name}-")
    assert family.instance(seed=3, name="mine").name == "mine"


@EVERY
def test_documentation_knows_the_family_and_its_parameters(family: Family[Any]) -> None:
    """docs/instances.md has a section for the family with a row for each option, and one table of the shared ones."""
    text = DOCS.read_text(encoding="utf-8")
    (section,) = [part for part in text.split("\n### ") if part.startswith(f"`{family.name}`\n")]
    shared = {option.name for option in options_of(Traffic)}
    for option in family.options:
        default = "" if option.default is None or option.default is False else f"`{option.default}`"
        row = f"| `--{option.name.replace('_', '-')}` | {default} | {option.text} |\n"
        assert row in f"{text if option.name in shared else section}\n"


def test_documentation_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The instance, the command lines and the Python of docs/instances.md are in order."""
    monkeypatch.chdir(tmp_path)
    text = DOCS.read_text(encoding="utf-8")
    (document,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (tmp_path / "document.json").write_text(document, encoding="utf-8")
    assert read_instance(tmp_path / "document.json").name == "two-servers"
    (shell,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    for line in shell.splitlines():
        assert CliRunner().invoke(main, line.split()[1:], catch_exceptions=False).exit_code == 0
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(code, {})


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, True, "1"])
def test_bad_seed_is_an_error(seed: Any) -> None:
    """A seed is an integer from 0 on."""
    with pytest.raises(FormatError, match="seed: expected an integer from 0"):
        FAMILIES["tiny"].instance(seed=seed)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201])
def test_bad_name_is_an_error(name: str) -> None:
    """A name that no instance may have is an error of one line."""
    with pytest.raises(FormatError, match="name: ") as caught:
        FAMILIES["tiny"].instance(name=name)
    assert "\n" not in str(caught.value)


def values(option: Option) -> st.SearchStrategy[Any]:
    """Values that a parameter allows, not too large ones."""
    kind = option.kind
    match kind:
        case Flag():
            strategy: st.SearchStrategy[Any] = st.booleans()
        case Count():
            strategy = st.integers(kind.least, min(kind.most, kind.least + 20))
        case Quantity():
            strategy = st.decimals(kind.least, kind.most, places=9).filter(
                lambda x: not (kind.open_least and x == kind.least) and not (kind.open_most and x == kind.most)
            )
        case _:
            strategy = st.sampled_from(kind.choices) if kind.choices else st.just(option.default)
    return strategy | st.none() if option.default is None else strategy


@EVERY
@given(data=st.data(), seed=st.integers(0, 2**63 - 1))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_parameters_give_an_instance_or_one_line(family: Family[Any], data: st.DataObject, seed: int) -> None:
    """Whatever parameters are allowed give an instance, valid by its construction, or an error of one line."""
    chosen = {option.name: data.draw(values(option), label=option.name) for option in family.options}
    refusal = ""
    try:
        parameters = family.parameters(**chosen)
        instance = family.instance(parameters, seed)
    except FormatError as error:
        refusal = str(error)
    assert "\n" not in refusal
    if refusal:
        return
    assert family.instance(parameters, seed) == instance
    assert len({server.id for server in instance.servers}) == len(instance.servers)
    if chosen["arrival_rate"] is not None:
        assert instance.workload.arrival_rate == chosen["arrival_rate"]


@pytest.mark.parametrize("seed", range(12))
def test_rate_bound_holds(seed: int) -> None:
    """No composition that is found has a larger total service rate than the bound."""
    instance = FAMILIES["tiny"].instance(TinyParameters(servers=6, blocks=5), seed)
    evaluation = compose(instance, "paper", "rate").evaluation
    assert evaluation is not None
    assert evaluation.total_service_rate is not None
    assert evaluation.total_service_rate <= rate_bound(instance.service, instance.servers) * (1 + 1e-12)


def test_rate_bound_is_met_by_equal_servers() -> None:
    """Four servers of one block and four jobs each: four jobs at once, of 4 · 0.5 s, are 2 jobs a second."""
    servers = [Server(id=f"s{j}", memory_gb=3, comm_s=0, comp_s_per_block=Decimal("0.5")) for j in range(4)]
    assert rate_bound(Service(blocks=4, block_gb=1, cache_gb=Decimal("0.5")), servers) == 2


def test_arrival_rate_is_a_share_of_the_bound_on_demand() -> None:
    """The bound share is taken of the bound and rounded to 3 digits, also where the family has its own rate."""
    instance = FAMILIES["bloom"].instance(BloomParameters(bound_share=Decimal("0.5")))
    bound = rate_bound(instance.service, instance.servers)
    assert float(instance.workload.arrival_rate) == pytest.approx(bound / 2, rel=5e-3)
    assert len(instance.workload.arrival_rate.normalize().as_tuple().digits) <= 3


def test_no_rate_without_room() -> None:
    """Where no server has room for a block and a job, an arrival rate has to be given."""
    with pytest.raises(FormatError, match="give an arrival rate"):
        FAMILIES["homogeneous"].instance(HomogeneousParameters(memory_gb=Decimal(1)))
    parameters = HomogeneousParameters(memory_gb=Decimal(1), arrival_rate=Decimal(2))
    instance = FAMILIES["homogeneous"].instance(parameters)
    assert instance.workload.arrival_rate == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"servers": 0}, "servers: expected an integer from 1 to 319, got 0"),
        ({"servers": 320}, "servers: expected an integer from 1 to 319, got 320"),
        ({"servers": True}, "servers: expected an integer"),
        ({"servers": 2.0}, "servers: expected an integer"),
        ({"fast_share": -0.1}, "fast_share: expected a number from 0 to 1"),
        ({"fast_share": "0.1"}, "fast_share: expected a number"),
        ({"fast_share": float("nan")}, "fast_share: expected a number"),
        ({"fast_share": Decimal("0.1234567890123456")}, "at most 15 decimal places"),
        ({"target_load": 1}, "target_load: expected a number above 0 and below 1"),
        ({"target_load": 0}, "target_load: expected a number above 0 and below 1"),
        ({"arrival_rate": 0}, "arrival_rate: expected a number"),
        ({"authors": 1}, "authors: expected true or false"),
        ({"arrival_rate": 1, "bound_share": 1}, "not both"),
    ],
)
def test_bad_parameter_is_one_clear_line(values: dict[str, Any], message: str) -> None:
    """A parameter that is not allowed says what it is, what was expected, and what it got."""
    with pytest.raises(FormatError, match=message):
        BloomParameters(**values)


def test_parameters_are_frozen() -> None:
    """Parameters cannot be changed once they are checked."""
    with pytest.raises(AttributeError):
        BloomParameters().servers = 3  # type: ignore[misc]
