"""Times that depend on tokens: the mean job keeps the times of the instance, others go by their tokens."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainopt import catalog
from chainopt.errors import FormatError
from chainopt.generate import FAMILIES, BloomParameters, LlamaParameters, slices
from chainopt.model import Instance, Server, Service, Workload
from chainopt.simulation.tokens import token_pace
from tests.strategies import instances


def one_server(model: str | None = None, block_gb: float = 1, blocks: int = 32, **server: Any) -> Instance:
    return Instance(
        name="one-server",
        service=Service(name=model, blocks=blocks, block_gb=block_gb, cache_gb=0.1),
        workload=Workload(arrival_rate=1),
        servers=[Server(**{"id": "s1", "memory_gb": 80, "comm_s": 0.6, "comp_s_per_block": 0.101, **server})],
    )


def test_by_hand() -> None:
    """Communication is shared out evenly over exchanges, computation by the share that is given.

    A mean job has 100 tokens in and 6 out, so one exchange for the prompt and 5 for decode steps: .6 s / 6 = .1 s each.
    Of .101 s of computation, .001 s are fixed, 30 % of the rest is .03 s / 100 tokens, and .07 s / 5 steps.
    """
    pace = token_pace(one_server(), 100, 6, prefill_share=0.3)
    assert pace.hop_s.tolist() == [pytest.approx([0.1, 0, 0.1])]
    assert pace.block_s.tolist() == [pytest.approx([0.001, 0.0003, 0.014])]


def test_longer_prompt_exchange() -> None:
    """The exchange of the prompt may be longer: of .6 s, .06 s more, and .54 s / 6 = .09 s for each exchange."""
    pace = token_pace(one_server(), 100, 6, prefill_share=0.3, prompt_extra_s=0.06)
    assert pace.hop_s.tolist() == [pytest.approx([0.15, 0, 0.09])]


@given(
    instance=instances(),
    tokens_in=st.floats(1, 1e5),
    tokens_out=st.one_of(st.just(2), st.floats(1.001, 1e4)),
    share=st.floats(0, 1),
    overhead_s=st.floats(0, 0.1),
)
def test_mean_job(instance: Instance, tokens_in: float, tokens_out: float, share: float, overhead_s: float) -> None:
    """The mean job takes what the instance says at each server, whatever the split."""
    pace = token_pace(instance, tokens_in, tokens_out, prefill_share=share, overhead_s=overhead_s)
    mean_job = np.array([1, tokens_in, tokens_out - 1])
    assert pace.hop_s @ mean_job == pytest.approx([float(server.comm_s) for server in instance.servers])
    assert pace.block_s @ mean_job == pytest.approx([float(server.comp_s_per_block) for server in instance.servers])
    assert (pace.hop_s >= 0).all()
    assert (pace.block_s >= 0).all()


@pytest.mark.parametrize("precision", ["fp16", "int8", "nf4"])
def test_llama(precision: str) -> None:
    """A generated instance of LLaMA is split as it was made, by its GPUs and the size of its weights.

    All of its times have 6 decimals, so jobs of other tokens agree with the catalogue to some parts in 10,000.
    """
    instance = FAMILIES["llama"].instance(LlamaParameters(precision=precision), seed=1)
    pace = token_pace(instance, 2048, 28)
    model = catalog.model("Llama-2-7B")
    for tokens_in, tokens_out in ((2048, 28), (2048, 1), (7000, 9), (34, 1899)):
        takes = pace.block_s @ [1, tokens_in, tokens_out - 1]
        expected = [
            catalog.comp_s_per_block(model, catalog.gpu(server.tags["gpu"]), tokens_in, tokens_out, weights=precision)
            for server in instance.servers
        ]
        assert takes == pytest.approx([float(each) for each in expected], rel=3e-4)


@pytest.mark.parametrize("setting", [slices.PAPER, slices.AUTHORS])
def test_bloom(setting: slices.Setting) -> None:
    """The slices of the paper and those of its authors have one name but two speeds, which their times tell apart.

    An exchange takes the round trip time and 18 ms; with the authors, only the one of the prompt has 50 ms more.
    """
    authors = setting is slices.AUTHORS
    instance = FAMILIES["bloom"].instance(BloomParameters(servers=10, authors=authors), seed=1)
    pace = token_pace(instance, 2000, 20, prompt_extra_s=0.05 if authors else 0)
    gpus = {gpu.name: gpu for gpu in (setting.fast, setting.slow)}
    for j, server in enumerate(instance.servers):
        gpu = gpus[server.tags["gpu"]]
        expected = [0.001, 5e9 / float(gpu.tflops) / 1e12, 1.32 / float(gpu.bandwidth_gb_s)]
        assert pace.block_s[j] == pytest.approx(expected, rel=1e-4)
        step_s = (server.tags["rtt_ms"] + setting.overhead_ms) / 1000
        assert pace.hop_s[j] == pytest.approx([step_s + (0.05 if authors else 0), 0, step_s], rel=1e-4)


def test_experts() -> None:
    """Of a model with experts, a step reads those that its token uses: of Mixtral, 2 of 8.

    At the published precision, the catalogue's own time for a block is met at other tokens too.
    """
    model, gpu = catalog.model("Mixtral-8x7B"), catalog.gpu("H100-SXM-80GB")
    time = catalog.comp_s_per_block(model, gpu, 1000, 100)
    instance = one_server(model.name, float(catalog.block_gb(model)), comp_s_per_block=time, tags={"gpu": gpu.name})
    expected = catalog.comp_s_per_block(model, gpu, 10, 1000)
    assert token_pace(instance, 1000, 100).block_s @ [1, 10, 999] == pytest.approx([float(expected)], rel=1e-5)


def test_unequal_blocks() -> None:
    """Where blocks differ, as in DeepSeek-V3 (3 have no experts), the proportions are those of the slowest too."""
    model, gpu = catalog.model("DeepSeek-V3"), catalog.gpu("H200-SXM-141GB")
    block_gb, blocks = float(catalog.block_gb(model)), len(model.blocks)
    time = catalog.comp_s_per_block(model, gpu, 1000, 100)
    instance = one_server(model.name, block_gb, blocks, comp_s_per_block=time, tags={"gpu": gpu.name})
    expected = catalog.comp_s_per_block(model, gpu, 2000, 199)
    assert token_pace(instance, 1000, 100).block_s @ [1, 2000, 198] == pytest.approx([float(expected)], rel=1e-5)


def test_slower_than_the_roofline() -> None:
    """Proportions are those of the roofline, but the time is that of the instance."""
    model, tags = "Llama-2-7B", {"gpu": "A100-SXM-80GB"}
    fast = token_pace(one_server(model, comp_s_per_block=0.011, tags=tags), 2048, 28)
    slow = token_pace(one_server(model, comp_s_per_block=0.021, tags=tags), 2048, 28)
    assert slow.block_s[0] == pytest.approx(fast.block_s[0] * [1, 2, 2])


def test_no_decode_steps_in_the_mean() -> None:
    """With one token out in the mean, the catalogue still knows how long a step takes; a share does not.

    The roofline is 2 · (params of a block) / TFLOPS for a token in, block_gb / (GB/s) for a step.
    """
    gpu, params = catalog.gpu("A100-SXM-80GB"), catalog.model("Llama-2-7B").largest_block_params
    instance = one_server("Llama-2-7B", tags={"gpu": gpu.name})
    _, token_s, step_s = token_pace(instance, 2048, 1).block_s[0]
    assert token_s * 2048 == pytest.approx(0.1)
    assert step_s / token_s == pytest.approx((1 / float(gpu.bandwidth_gb_s)) / (2 * params / float(gpu.tflops) / 1e12))
    assert token_pace(instance, 2048, 1, prefill_share=1).block_s[0] == pytest.approx([0.001, 0.1 / 2048, 0])
    with pytest.raises(FormatError, match=r"expected 1 if tokens_out is 1, .*, got 0\.5") as caught:
        token_pace(instance, 2048, 1, prefill_share=0.5)
    assert caught.value.path == "prefill_share"


def test_share_before_catalogue() -> None:
    """A share that is given counts, even where the catalogue would know."""
    known = one_server("Llama-2-7B", tags={"gpu": "A100-SXM-80GB"})
    given_pace = token_pace(known, 100, 6, prefill_share=0.3)
    np.testing.assert_array_equal(given_pace.block_s, token_pace(one_server(), 100, 6, prefill_share=0.3).block_s)


@pytest.mark.parametrize(
    ("model", "tags"),
    [
        (None, {}),
        (None, {"gpu": "A100-SXM-80GB"}),
        ("Llama-2-7B", {}),
        ("Llama-2-7B", {"gpu": "Abacus"}),
        ("Llama-2-7B", {"gpu": 7}),
        ("Llama-2-7B", {"gpu": "A100 MIG 3g.40gb"}),
        ("BLOOM-176B", {"gpu": "A100 MIG 4g.40gb"}),
        ("Eliza", {"gpu": "A100-SXM-80GB"}),
    ],
)
def test_unknown_server(model: str | None, tags: dict[str, Any]) -> None:
    """A server that the catalogue does not know is named, with what to give instead."""
    with pytest.raises(FormatError, match=r"computation of 's1' between .*; or give prefill_share") as caught:
        token_pace(one_server(model, tags=tags), 2048, 28)
    assert caught.value.path == "servers[0].tags.gpu"


@pytest.mark.parametrize(
    ("changes", "message", "path"),
    [
        ({"tokens_in": 0}, "expected a finite number from 1 on, got 0", "tokens_in"),
        ({"tokens_in": math.inf}, "from 1 on, got inf", "tokens_in"),
        ({"tokens_out": 0.5}, "from 1 on, got 0.5", "tokens_out"),
        ({"tokens_out": math.nan}, "from 1 on, got nan", "tokens_out"),
        ({"prefill_share": -0.1}, "expected a finite number from 0 to 1, got -0.1", "prefill_share"),
        ({"prefill_share": 1.1}, "from 0 to 1, got 1.1", "prefill_share"),
        ({"overhead_s": -1}, "from 0 on, got -1", "overhead_s"),
        ({"overhead_s": 0.2}, "expected at least overhead_s = 0.2, got 0.101", "servers[0].comp_s_per_block"),
        ({"prompt_extra_s": -1}, "from 0 on, got -1", "prompt_extra_s"),
        ({"prompt_extra_s": 0.7}, "expected at least prompt_extra_s = 0.7, got 0.6", "servers[0].comm_s"),
    ],
)
def test_bad_parameters(changes: dict[str, float], message: str, path: str) -> None:
    """Parameters out of range, or too large for the times of a server, are refused."""
    parameters = {"tokens_in": 100, "tokens_out": 6, "prefill_share": 0.3, **changes}
    with pytest.raises(FormatError, match=message) as caught:
        token_pace(one_server(), **parameters)
    assert caught.value.path == path


def test_overhead_is_all() -> None:
    """A server may take the overhead and nothing else: one decimal is one decimal."""
    pace = token_pace(one_server(comp_s_per_block=0.001), 100, 6, prefill_share=0.3)
    assert pace.block_s.tolist() == [[0.001, 0, 0]]
