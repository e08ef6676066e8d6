"""Option parsers of the engines, as far as exports use them: names, types and choices from their public sources.

PETALS: src/petals/cli/run_server.py at 5c8bb55 and src/petals/cli/run_dht.py at 02b7196; vLLM: vllm/engine/arg_utils.py
and vllm/entrypoints/openai/cli_args.py of 0.12; SGLang: python/sglang/srt/server_args.py of 0.5; llama.cpp:
common/arg.cpp and tools/rpc/rpc-server.cpp; Parallax: src/parallax/server/server_args.py at 9360d31 and later.
"""

from __future__ import annotations

import argparse


class Parser(argparse.ArgumentParser):
    """Takes no abbreviations, and raises instead of leaving."""

    def __init__(self) -> None:
        super().__init__(allow_abbrev=False, add_help=False)

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise."""
        raise ValueError(message)


def petals_server() -> Parser:
    """All options of run_server, with what excludes what."""
    parser = Parser()
    parser.add_argument("-c", "--config")
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--converted_model_name_or_path")
    group.add_argument("model", nargs="?")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--token")
    group.add_argument("--use_auth_token", action="store_true", dest="token")
    for name in ("public_name", "block_indices", "dht_prefix", "public_ip", "cache_dir", "max_disk_space", "device"):
        parser.add_argument(f"--{name}")
    for name in ("revision", "custom_module_path", "identity_path"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--compression", default="NONE")
    for name in ("num_blocks", "port", "num_handlers", "prefetch_batches", "sender_threads", "inference_max_length"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("min_batch_size", "max_batch_size", "max_chunk_size_bytes", "attn_cache_tokens"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("increase_file_limit", "stats_report_interval"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("daemon_startup_timeout", "max_alloc_timeout", "update_period", "expiration", "request_timeout"):
        parser.add_argument(f"--{name}", type=float)
    for name in ("session_timeout", "step_timeout", "balance_quality", "mean_balance_check_period"):
        parser.add_argument(f"--{name}", type=float)
    for name in ("host_maddrs", "announce_maddrs", "tensor_parallel_devices"):
        parser.add_argument(f"--{name}", nargs="+")
    parser.add_argument("--adapters", nargs="*")
    parser.add_argument("--no_auto_relay", action="store_false", dest="use_auto_relay")
    parser.add_argument("--skip_reachability_check", action="store_true")
    parser.add_argument("--torch_dtype", choices=["float16", "bfloat16", "float32", "auto"], default="auto")
    parser.add_argument("--quant_type", choices=["none", "int8", "nf4"])
    parser.add_argument("--throughput", type=lambda v: v if v in ("auto", "eval", "dry_run") else float(v))
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--initial_peers", nargs="+")
    group.add_argument("--new_swarm", action="store_true")
    return parser


def petals_dht() -> Parser:
    """Options of run_dht; without any address after --initial_peers it starts a swarm of its own."""
    parser = Parser()
    parser.add_argument("--initial_peers", nargs="*", default=["the public swarm"])
    parser.add_argument("--host_maddrs", nargs="*")
    parser.add_argument("--announce_maddrs", nargs="*")
    parser.add_argument("--use_ipfs", action="store_true")
    parser.add_argument("--identity_path")
    parser.add_argument("--no_relay", action="store_false", dest="use_relay")
    parser.add_argument("--use_auto_relay", action="store_true")
    parser.add_argument("--refresh_period", type=int, default=30)
    return parser


def _parser(texts: list[str], integers: list[str], floats: list[str], flags: list[str]) -> Parser:
    parser = Parser()
    for names, kind in ((texts, str), (integers, int), (floats, float)):
        for name in names:
            parser.add_argument(*name.split("|"), type=kind)
    for name in flags:
        parser.add_argument(*name.split("|"), action="store_true")
    return parser


def vllm() -> Parser:
    """`vllm serve MODEL`."""
    parser = _parser(
        ["--dtype", "--quantization|-q", "--host", "--distributed-executor-backend", "--master-addr"],
        [
            "--pipeline-parallel-size|-pp",
            "--tensor-parallel-size|-tp",
            "--max-num-seqs",
            "--max-model-len",
            "--block-size",
            "--num-gpu-blocks-override",
            "--port",
            "--master-port",
            "--nnodes|-n",
            "--node-rank|-r",
        ],
        ["--gpu-memory-utilization"],
        ["--headless"],
    )
    parser.add_argument("model_tag")
    return parser


def sglang() -> Parser:
    """`python -m sglang.launch_server`."""
    return _parser(
        ["--model-path", "--dtype", "--quantization", "--host", "--dist-init-addr"],
        [
            "--pp-size",
            "--tp-size",
            "--max-running-requests",
            "--pp-max-micro-batch-size",
            "--max-total-tokens",
            "--context-length",
            "--page-size",
            "--port",
            "--nnodes",
            "--node-rank",
        ],
        ["--mem-fraction-static"],
        [],
    )


def llama_server() -> Parser:
    """`llama-server`."""
    return _parser(
        ["--model|-m", "--rpc", "--device|-dev", "--split-mode|-sm", "--tensor-split|-ts", "--fit|-fit", "--host"],
        ["--n-gpu-layers|-ngl", "--ctx-size|-c", "--parallel|-np", "--port"],
        [],
        ["--no-kv-unified|-no-kvu"],
    )


def rpc_server() -> Parser:
    """`rpc-server`."""
    return _parser(["--host|-H", "--device|-d"], ["--port|-p"], [], ["--cache|-c"])


def parallax() -> Parser:
    """`launch.py`."""
    parser = _parser(
        ["--model-path", "--host", "--dht-prefix", "--dtype", "--scheduler-addr"],
        [
            "--port",
            "--tcp-port",
            "--udp-port",
            "--start-layer",
            "--end-layer",
            "--max-batch-size",
            "--max-sequence-length",
            "--kv-block-size",
            "--max-num-tokens-per-batch",
        ],
        ["--kv-cache-memory-fraction", "--param-mem-ratio", "--kvcache-mem-ratio"],
        [],
    )
    parser.add_argument("--initial-peers", nargs="+")
    return parser
