"""Malformed files: each differs from a good one in one place, and its error points at exactly that place."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainopt.errors import FormatError
from chainopt.files import read_instance, read_solution

EXAMPLES = Path(__file__).parent / "examples"
READERS = {"instance": read_instance, "solution": read_solution}
POSITIVE = "expected a number from 1e-9 to 1e9, got "
AMOUNT = "expected a number that is 0 or from 1e-9 to 1e9, got "
NESTED = '{"a": ' * 15 + '{"a": ▸{}' + "}" * 16

# What stands in the example; what stands in the malformed file, with ▸ before the place to blame; path; message.
Case = tuple[str, str, str | None, str]

INSTANCE: list[Case] = [
    # the format
    ('{\n  "format": "chainopt-instance/1",', "▸{", None, "the key 'format' is missing"),
    (
        '"chainopt-instance/1"',
        '▸"chainopt-instance/2"',
        "format",
        "expected 'chainopt-instance/1', got 'chainopt-instance/2'",
    ),
    ('"chainopt-instance/1"', '▸"chainopt-solution/1"', "format", "got 'chainopt-solution/1'"),
    ('"chainopt-instance/1"', "▸1", "format", "expected 'chainopt-instance/1', got 1"),
    ('"chainopt-instance/1"', "▸[]", "format", "got an array of 0"),
    # the name and the note
    ('"two-servers"', '▸""', "name", "expected 1 to 200 printable characters, got ''"),
    ('"two-servers"', f'▸"{"n" * 201}"', "name", f"expected 1 to 200 printable characters, got '{'n' * 56}..."),
    ('"two-servers"', "▸7", "name", "expected a string, got 7"),
    ('"two-servers"', "▸null", "name", "expected a string, got null"),
    ('"two-servers"', "▸true", "name", "expected a string, got true"),
    ('"two-servers"', "▸NaN", "name", "expected a string, got NaN"),
    ('"two-servers"', '▸"two\\nlines"', "name", "expected 1 to 200 printable characters, got 'two\\nlines'"),
    ('"two-servers"', '▸"a\\u0000b"', "name", "expected 1 to 200 printable characters, got 'a\\x00b'"),
    ('"two-servers"', '▸"\\ud800"', "name", "expected 1 to 200 printable characters, got '\\ud800'"),
    ('"two-servers"', '▸"\\u202e"', "name", "expected 1 to 200 printable characters, got '\\u202e'"),
    ('"τ is \\"small\\""', '▸"τ \\udfff"', "note", "expected text without lone surrogates, got 'τ \\udfff'"),
    ('"τ is \\"small\\""', '▸{"text": 1}', "note", "expected a string, got an object"),
    # the service
    (
        '{"name": "toy", "blocks": 3, "block_gb": 1.32, "cache_gb": 0.11}',
        "▸[3]",
        "service",
        "expected an object, got an array of 1",
    ),
    (
        '{"name": "toy", "blocks": 3, "block_gb": 1.32, "cache_gb": 0.11}',
        "▸null",
        "service",
        "expected an object, got null",
    ),
    ('"blocks": 3', '"blocks": ▸0', "service.blocks", "expected at least 1, got 0"),
    ('"blocks": 3', '"blocks": ▸-3', "service.blocks", "expected at least 1, got -3"),
    ('"blocks": 3', '"blocks": ▸100001', "service.blocks", "expected at most 100000, got 100001"),
    ('"blocks": 3', '"blocks": ▸70.0', "service.blocks", "expected an integer, got 70.0"),
    ('"blocks": 3', '"blocks": ▸7e1', "service.blocks", "expected an integer, got 7E+1"),
    ('"blocks": 3', '"blocks": ▸-0', "service.blocks", "expected an integer, got -0"),
    ('"blocks": 3', '"blocks": ▸"3"', "service.blocks", "expected an integer, got '3'"),
    ('"blocks": 3', '"blocks": ▸true', "service.blocks", "expected an integer, got true"),
    ('"blocks": 3', '"blocks": ▸Infinity', "service.blocks", "expected an integer, got Infinity"),
    (
        '"blocks": 3',
        f'"blocks": ▸1{"0" * 30}',
        "service.blocks",
        "expected an integer from -2^63 to 2^63 - 1, got 1000",
    ),
    (
        '"blocks": 3',
        f'"blocks": ▸{"9" * 5000}',
        "service.blocks",
        "expected an integer, got a number of 5000 characters",
    ),
    ('"block_gb": 1.32', '"block_gb": ▸0', "service.block_gb", POSITIVE + "0"),
    ('"block_gb": 1.32', '"block_gb": ▸-1.32', "service.block_gb", POSITIVE + "-1.32"),
    ('"block_gb": 1.32', '"block_gb": ▸false', "service.block_gb", POSITIVE + "false"),
    ('"block_gb": 1.32', '"block_gb": ▸"1.32"', "service.block_gb", POSITIVE + "'1.32'"),
    ('"block_gb": 1.32', '"block_gb": ▸{"gb": 1}', "service.block_gb", POSITIVE + "an object"),
    ('"block_gb": 1.32', '"block_gb": ▸1e-400', "service.block_gb", POSITIVE + "1E-400"),
    ('"block_gb": 1.32', '"block_gb": ▸0.00000000099', "service.block_gb", POSITIVE + "9.9E-10"),
    (
        '"block_gb": 1.32',
        f'"block_gb": ▸1.{"0" * 30}1',
        "service.block_gb",
        f"expected at most 30 decimal places, got 1.{'0' * 30}1",
    ),
    (
        '"block_gb": 1.32',
        f'"block_gb": ▸{"1234567890" * 3}1.5',
        "service.block_gb",
        POSITIVE + "1234567890" * 3 + "1.5",
    ),
    ('"cache_gb": 0.11', '"cache_gb": ▸NaN', "service.cache_gb", POSITIVE + "NaN"),
    ('{"name": "toy", "blocks": 3,', '▸{"name": "toy",', "service", "the key 'blocks' is missing"),
    (', "cache_gb": 0.11', ', ▸"cache": 0.11', "service.cache", "unknown key 'cache'"),
    (
        '"cache_gb": 0.11',
        '"cache_gb": 0.11, ▸"block_gb": 1',
        "service.block_gb",
        "the key 'block_gb' stands twice in one object",
    ),
    # the workload
    ('"arrival_rate": 0.2', '"arrival_rate": ▸Infinity', "workload.arrival_rate", POSITIVE + "Infinity"),
    ('"arrival_rate": 0.2', '"arrival_rate": ▸-Infinity', "workload.arrival_rate", POSITIVE + "-Infinity"),
    ('"arrival_rate": 0.2', '"arrival_rate": ▸1e999999999', "workload.arrival_rate", POSITIVE + "1E+999999999"),
    ('"arrival_rate": 0.2', f'"arrival_rate": ▸1e{"9" * 30}', "workload.arrival_rate", POSITIVE + "1e" + "9" * 30),
    ('"arrival_rate": 0.2', '"arrival_rate": ▸1000000000.1', "workload.arrival_rate", POSITIVE + "1000000000.1"),
    (
        '"target_load": 0.7',
        '"target_load": ▸1',
        "workload.target_load",
        "expected a number between 0 and 1, both excluded, got 1",
    ),
    ('"target_load": 0.7', '"target_load": ▸1.0', "workload.target_load", "both excluded, got 1.0"),
    ('"target_load": 0.7', '"target_load": ▸null', "workload.target_load", POSITIVE + "null"),
    # the servers
    ('  "servers": [', '  "servers": ▸7, "x": [', "servers", "expected an array, got 7"),
    ('  "servers": [', '  "servers": ▸{}, "x": [', "servers", "expected an array, got an object"),
    ('  "servers": [', '  "servers": ▸[], "x": [', "servers", "expected 1 or more elements, got an array of 0"),
    ('    {"id": "s01"', '    ▸null, {"id": "s01"', "servers[0]", "expected an object, got null"),
    ('    {"id": "s01"', '    ▸"s00", {"id": "s01"', "servers[0]", "expected an object, got 's00'"),
    ('{"id": "s01", ', "▸{", "servers[0]", "the key 'id' is missing"),
    ('"id": "s01"', '"id": ▸""', "servers[0].id", "expected 1 to 200 printable characters, got ''"),
    ('"id": "s01"', '"id": ▸1', "servers[0].id", "expected a string, got 1"),
    ('"id": "s01"', '"id": ▸"s\\t01"', "servers[0].id", "expected 1 to 200 printable characters, got 's\\t01'"),
    ('"id": "été"', '"id": ▸"s01"', "servers[1].id", "'s01' is the id of servers[0] too"),
    ('"id": "été"', '"id": ▸"s\\u00301"', "servers[1].id", "'s01' is the id of servers[0] too"),
    ('"id": "été"', '"id": "été", ▸"id": "ete"', "servers[1].id", "the key 'id' stands twice in one object"),
    ('"id": "été"', '"id": "été", ▸"\\u0069d": "ete"', "servers[1].id", "the key 'id' stands twice in one object"),
    (
        '"id": "été"',
        '"id": "été", "x": "\\"id\\": {", ▸"id": 1',
        "servers[1].id",
        "the key 'id' stands twice in one object",
    ),
    ('"id": "été"', '"id": "été", ▸"mémoire": 1', "servers[1].mémoire", "unknown key 'mémoire'"),
    ('"id": "été"', '"id": "été", ▸"a\\nb": 1', "servers[1].a?b", "unknown key 'a\\nb'"),
    (
        '{"id": "été"',
        '▸{"id": "été", "\\ud800": 1',
        "servers[1]",
        "expected text without lone surrogates, got '\\ud800'",
    ),
    ('"id": "été"', '"id": "été", ▸"": 1', "servers[1].", "unknown key ''"),
    ('"id": "été"', f'"id": "été", ▸"{"k" * 200}": 1', f"servers[1].{'k' * 106}...", f"unknown key '{'k' * 56}..."),
    ('"memory_gb": 40', '▸"memroy_gb": 40', "servers[0].memroy_gb", "unknown key 'memroy_gb'"),
    ('"memory_gb": 40', '"memory_gb": ▸"40 GB"', "servers[0].memory_gb", POSITIVE + "'40 GB'"),
    ('"memory_gb": 4.0e1', '"memory_gb": ▸[40]', "servers[1].memory_gb", POSITIVE + "an array of 1"),
    ('"memory_gb": 4.0e1', '"memory_gb": ▸1e400', "servers[1].memory_gb", POSITIVE + "1E+400"),
    ('"comm_s": 0.738', '"comm_s": ▸-0', "servers[0].comm_s", AMOUNT + "-0"),
    ('"comm_s": 0.738', '"comm_s": ▸-0.0', "servers[0].comm_s", AMOUNT + "-0.0"),
    ('"comm_s": 0.738', '"comm_s": ▸1e-10', "servers[0].comm_s", AMOUNT + "1E-10"),
    ('"comp_s_per_block": 0.109', '"comp_s_per_block": ▸null', "servers[0].comp_s_per_block", AMOUNT + "null"),
    (
        '{"id": "été", "memory_gb": 4.0e1, "comm_s": 0, "comp_s_per_block": 0.1',
        '▸{"id": "été", "memory_gb": 4.0e1, "comm_s": 0, "comp_s_per_block": 0.0',
        "servers[1]",
        "comm_s and comp_s_per_block are both 0: a job would take no time",
    ),
    (
        '{"id": "été", "memory_gb": 4.0e1,',
        '▸{"id": "été", "memory_gb": 1.5,',
        "servers[1]",
        "reserve_gb 2 is more than memory_gb 1.5",
    ),
    # pins
    ('"pin": {"start": 0, "stop": 3}', '"pin": ▸[0, 3]', "servers[1].pin", "expected an object, got an array of 2"),
    ('"pin": {"start": 0, "stop": 3}', '"pin": ▸{"start": 0}', "servers[1].pin", "the key 'stop' is missing"),
    (
        '"pin": {"start": 0, "stop": 3}',
        '"pin": ▸{"start": 2, "stop": 2}',
        "servers[1].pin",
        "expected start < stop, got start 2 and stop 2",
    ),
    (
        '"pin": {"start": 0, "stop": 3}',
        '"pin": {"start": ▸-1, "stop": 3}',
        "servers[1].pin.start",
        "expected at least 0, got -1",
    ),
    ('"stop": 3', '"stop": ▸4', "servers[1].pin.stop", "expected at most service.blocks = 3, got 4"),
    ('"stop": 3', '"stop": ▸3.0', "servers[1].pin.stop", "expected an integer, got 3.0"),
    ('"stop": 3', '"stop": 3, ▸"step": 1', "servers[1].pin.step", "unknown key 'step'"),
    # tags are free, but they are JSON
    ('{"gpu": "A100", "at": [1, 2.5]}', "▸null", "servers[0].tags", "expected an object, got null"),
    ('"at": [1, 2.5]', '"at": [1, ▸NaN]', "servers[0].tags.at[1]", "expected a JSON value, got NaN"),
    ('"at": [1, 2.5]', f'"at": [1, ▸1e{"9" * 30}]', "servers[0].tags.at[1]", "expected a JSON value, got 1e999"),
    (
        '"at": [1, 2.5]',
        f'"at": [1, ▸{"7" * 401}]',
        "servers[0].tags.at[1]",
        "expected a number of at most 400 characters, got 777",
    ),
    ('"at": [1, 2.5]', f'"at": [1, ▸{"7" * 9999}]', "servers[0].tags.at[1]", "got a number of 9999 characters"),
    (
        '"at": [1, 2.5]',
        '"at": ▸"\\ud83d"',
        "servers[0].tags.at",
        "expected text without lone surrogates, got '\\ud83d'",
    ),
    (
        '"at": [1, 2.5]',
        '"at": ▸{"\\ud83d": 1}',
        "servers[0].tags.at",
        "expected keys that are text without lone surrogates, got '\\ud83d'",
    ),
    (
        '"at": [1, 2.5]',
        '"at": [{"b": 1, "c": {"b": 2}, ▸"b": 3}]',
        "servers[0].tags.at[0].b",
        "the key 'b' stands twice in one object",
    ),
    ('"at": [1, 2.5]', f'"at": {NESTED}', f"servers[0].tags.at{'.a' * 16}", "nested more than 16 deep"),
]

SOLUTION: list[Case] = [
    (
        '"chainopt-solution/1"',
        '▸"chainopt-solution/9"',
        "format",
        "expected 'chainopt-solution/1', got 'chainopt-solution/9'",
    ),
    ('{"name": "two-servers", "sha256"', '▸{"sha256"', "instance", "the key 'name' is missing"),
    ('"sha256": "', '"sha256": ▸"x', "instance.sha256", "expected 64 hexadecimal digits in lower case, got 'x3013bdc4"),
    ('"sha256": "3', '"sha256": ▸"A', "instance.sha256", "expected 64 hexadecimal digits in lower case, got 'A013"),
    ('"sha256": "3', '"sha256": ▸"', "instance.sha256", "expected 64 hexadecimal digits in lower case, got '013"),
    ('"sha256": "3', '"sha256": ▸7, "x": "', "instance.sha256", "expected a string, got 7"),
    ('"method": "gbp-cr+gca"', '"method": ▸null', "method", "expected a string, got null"),
    ('"method": "gbp-cr+gca"', '"method": ▸""', "method", "expected 1 to 200 printable characters, got ''"),
    (
        '"cache_reservation": 7',
        '"cache_reservation": ▸-Infinity',
        "parameters.cache_reservation",
        "expected a JSON value, got -Infinity",
    ),
    ('{"cache_reservation": 7, "criterion": "exact"}', "▸[7]", "parameters", "expected an object, got an array of 1"),
    ('"seed": 0', '"seed": ▸0.0', "seed", "expected an integer, got 0.0"),
    ('"seed": 0', '"seed": ▸"0"', "seed", "expected an integer, got '0'"),
    ('"seed": 0', f'"seed": ▸{2**63}', "seed", "expected an integer from -2^63 to 2^63 - 1, got 9223372036854775808"),
    ('"version": "0.1.0"', '"version": ▸0.1', "version", "expected a string, got 0.1"),
    ('"version": "0.1.0"', '"version": ▸"\\ud800"', "version", "expected 1 to 200 printable characters, got '\\ud800'"),
    ('"response-time"', '▸"speed"', "objective", "expected 'response-time', 'job-servers' or 'rate', got 'speed'"),
    (
        '"feasible"',
        '▸"good"',
        "status",
        "expected 'optimal', 'feasible', 'infeasible', 'unstable' or 'unknown', got 'good'",
    ),
    ('"feasible"', '▸"Feasible"', "status", "got 'Feasible'"),
    ('"feasible"', "▸null", "status", "got null"),
    (
        '"status": "feasible"',
        '"status": "feasible", ▸"status": "optimal"',
        "status",
        "the key 'status' stands twice in one object",
    ),
    ('"placement": [', '"placement": ▸null, "x": [', "placement", "expected an array, got null"),
    ('{"server": "s01", "start": 0', '▸{"start": 0', "placement[0]", "the key 'server' is missing"),
    ('"server": "été"', '"server": ▸2', "placement[1].server", "expected a string, got 2"),
    (
        '{"server": "été", "start": 0',
        '▸{"server": "été", "start": 3',
        "placement[1]",
        "expected start < stop, got start 3 and stop 3",
    ),
    ('"start": 0', '"start": ▸-1', "placement[0].start", "expected at least 0, got -1"),
    ('"start": 0', '"start": ▸null', "placement[0].start", "expected an integer, got null"),
    ('"stop": 3', '"stop": ▸100001', "placement[0].stop", "expected at most 100000, got 100001"),
    ('"chains": [', '"chains": ▸{}, "x": [', "chains", "expected an array, got an object"),
    ('"servers": ["été"]', '"servers": ▸[]', "chains[0].servers", "expected 1 or more elements, got an array of 0"),
    ('"servers": ["été"]', '"servers": ▸"été"', "chains[0].servers", "expected an array, got 'été'"),
    ('"servers": ["été"]', '"servers": ["été", ▸1]', "chains[0].servers[1]", "expected a string, got 1"),
    ('"capacity": 7', '"capacity": ▸0', "chains[0].capacity", "expected at least 1, got 0"),
    ('"capacity": 7', '"capacity": ▸2.0', "chains[0].capacity", "expected an integer, got 2.0"),
    ('"capacity": 7', '"capacity": ▸1e999999999', "chains[0].capacity", "expected an integer, got 1E+999999999"),
    (
        '"capacity": 7',
        f'"capacity": ▸{10**400}',
        "chains[0].capacity",
        "expected an integer from -2^63 to 2^63 - 1, got 1000",
    ),
    ('"service_time_s": 0.3', '"service_time_s": ▸0', "chains[0].service_time_s", "expected more than 0, got 0"),
    (
        '"service_time_s": 0.3',
        '"service_time_s": ▸1e-400',
        "chains[0].service_time_s",
        "expected more than 0, got 1E-400",
    ),
    ('"service_time_s": 0.3', '"service_time_s": ▸"0.3"', "chains[0].service_time_s", "expected a number, got '0.3'"),
    ('"service_time_s": 0.3', '"service_time_s": ▸null', "chains[0].service_time_s", "expected a number, got null"),
    ('"load": 0.0067', '"load": ▸NaN', "evaluation.load", "expected a number, got NaN"),
    ('"load": 0.0067', '"load": ▸1e400', "evaluation.load", "expected a finite number, got 1E+400"),
    ('"load": 0.0067', '"load": ▸-0.1', "evaluation.load", "expected at least 0, got -0.1"),
    ('"load": 0.0067', '"load": ▸true', "evaluation.load", "expected a number, got true"),
    ('"job_servers": 14', '"job_servers": ▸null', "evaluation.job_servers", "expected an integer, got null"),
    (
        '"waiting_probability": 1e-30',
        '"waiting_probability": ▸1.5',
        "evaluation.waiting_probability",
        "expected at most 1, got 1.5",
    ),
    (
        '"evaluation": {"total_service_rate": 29.9, ',
        '"evaluation": ▸{',
        "evaluation",
        "the key 'total_service_rate' is missing",
    ),
    ('"bound": 0.3', '"bound": ▸Infinity', "bound", "expected a number, got Infinity"),
    ('"bound": 0.3', '"bound": ▸"none"', "bound", "expected a number, got 'none'"),
    ('"gap": 0.0', '"gap": ▸-0.5', "gap", "expected at least 0, got -0.5"),
    ('"gap": 0.0', '"gap": ▸false', "gap", "expected a number, got false"),
    ('"runtime_s": 0.01', '"runtime_s": ▸[]', "runtime_s", "expected a number, got an array of 0"),
    ('"runtime_s": 0.01', '"runtime_s": 0.01, ▸"note": 1', "note", "unknown key 'note'"),
]

# The whole instance file, with ▸ before the place to blame; what follows "not JSON: ".
SYNTAX: list[tuple[str, str]] = [
    ("▸", "expecting value, got the end of the file"),
    (" \n\t\n ▸", "expecting value, got the end of the file"),
    ("▸hello", "expecting value, got 'hello'"),
    ("▸{'name': 1}".replace("▸{", "{▸"), "expecting property name"),
    ("{▸", "expecting property name"),
    ('{"é": ▸', "expecting value, got the end of the file"),
    ('{"é" ▸1}', "expecting ':' delimiter, got '1'"),
    ('{"é": 1\n▸"b": 2}', "expecting ',' delimiter"),
    ('{"é": [1 ▸2]}', "expecting ',' delimiter"),
    ('{"a": "\\"", "b": ▸tru}', "expecting value, got 'tru'"),
    ('{"a": ▸+1}', "expecting value, got '+'"),
    ('{"a": ▸.5}', "expecting value, got '.'"),
    ('{"a": 0▸1}', "expecting ',' delimiter"),
    ('{"a": 1▸.}', "expecting ',' delimiter"),
    ('{"a": 0▸x10}', "expecting ',' delimiter"),
    ('{"a": ▸"b', "unterminated string"),
    ('{"a": "b▸\n"}', "invalid control character '\\n'"),
    ('{"a": "b▸\x00"}', "invalid control character '\\x00'"),
    ('{"a": "é\\▸x"}', "invalid \\x escape sequence 'x'"),
    ('{"a": "é▸\\u12G4"}', "invalid \\uxxxx escape sequence"),
    ('{"a": 1} ▸{"a": 1}', "extra data"),
    ('{"a": 1}\n▸\x00', "extra data"),
    ('{▸// comment\n"a": 1}', "expecting property name"),
    ("{▸\x00", "expecting property name"),
    ("▸\u00a0{}", "expecting value, got '\\xa0'"),
]

BYTES: list[tuple[bytes, str, str]] = [
    (b"\xef\xbb\xbf{}", "1:1", "expected UTF-8 without a byte order mark, got one"),
    ('{"name": "é"}'.encode("latin-1"), "1:11", "expected UTF-8, got the byte 0xe9"),
    ('{\n"é": "é'.encode() + b"\xff", "2:8", "expected UTF-8, got the byte 0xff"),
    ("{}".encode("utf-16"), "1:1", "expected UTF-8, got the byte 0xff"),
    ("{}".encode("utf-16-le"), "1:2", "not JSON: expecting property name"),
    ("{}".encode("utf-32-be"), "1:1", "not JSON: expecting value, got '\\x00'"),
    (b'{"a": "\xed\xa0\x80"}', "1:8", "expected UTF-8, got the byte 0xed"),
    (b'{"a": "\xc0\x80"}', "1:8", "expected UTF-8, got the byte 0xc0"),
    (b'{"a": "\xe2\x82', "1:8", "expected UTF-8, got the byte 0xe2"),
    (b"\x1f\x8b\x08", "1:2", "expected UTF-8, got the byte 0x8b"),
    (b"[" * 100_000, "1:101", "brackets are nested more than 100 deep"),
    (b'{"[": "\\"[", "a":' * 100_000, "1:1701", "brackets are nested more than 100 deep"),
    (b"[]", "1:1", "expected an object, got an array of 0"),
    (b"null", "1:1", "expected an object, got null"),
    (b"\n 7", "2:2", "expected an object, got 7"),
    (b'"text"', "1:1", "expected an object, got 'text'"),
    (b"NaN", "1:1", "expected an object, got NaN"),
    (b"9" * 10_000, "1:1", "expected an object, got a number of 10000 characters"),
    (b"{}", "1:1", "the key 'format' is missing"),
    (b'{"a": 1, "b": 2, "a": 1}', "1:18", "a: the key 'a' stands twice in one object"),
    (b'{\r\n"format": 0}', "2:11", "format: expected 'chainopt-instance/1', got 0"),
]


def blamed(marked: str) -> tuple[str, int, int]:
    """A text without its mark, and the line and the column of the mark."""
    before, mark, after = marked.partition("▸")
    assert mark
    return before + after, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def failure(kind: str, path: Path, data: bytes) -> FormatError:
    """The error of reading these bytes."""
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        READERS[kind](path)
    assert str(caught.value).isprintable()
    assert caught.value.source == str(path)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "case"), [*(("instance", case) for case in INSTANCE), *(("solution", case) for case in SOLUTION)]
)
def test_one_mistake(kind: str, case: Case, tmp_path: Path) -> None:
    """The one mistake of a file is reported in one line: file, line, column, path, value and what was expected."""
    old, new, where, message = case
    example = (EXAMPLES / f"{kind}.json").read_text(encoding="utf-8")
    assert old in example
    text, line, column = blamed(example.replace(old, new, 1))

    error = failure(kind, tmp_path / "x.json", text.encode())

    assert (error.line, error.column, error.path) == (line, column, where)
    assert message in error.message
    path = "" if where is None else f"{where}: "
    assert str(error) == f"{tmp_path / 'x.json'}:{line}:{column}: {path}{error.message}"


@pytest.mark.parametrize(("marked", "message"), SYNTAX)
def test_not_json(marked: str, message: str, tmp_path: Path) -> None:
    """A text that is no JSON is reported where it ceases to be."""
    text, line, column = blamed(marked)

    error = failure("instance", tmp_path / "x.json", text.encode())

    assert (error.line, error.column, error.path) == (line, column, None)
    assert error.message.lower().startswith(f"not json: {message}")


@pytest.mark.parametrize(("data", "place", "message"), BYTES)
def test_bytes(data: bytes, place: str, message: str, tmp_path: Path) -> None:
    """Bytes that are no UTF-8, no object or nested without end are reported like any other mistake."""
    error = failure("instance", tmp_path / "x.json", data)

    assert str(error).startswith(f"{tmp_path / 'x.json'}:{place}: {message}")


@pytest.mark.parametrize("kind", READERS)
def test_good(kind: str) -> None:
    """The examples that the malformed files are made from are good."""
    assert READERS[kind](EXAMPLES / f"{kind}.json")


def test_first_of_several_mistakes(tmp_path: Path) -> None:
    """Of several mistakes the first in the file is reported, and a part before the whole that it spoils."""
    text = (EXAMPLES / "instance.json").read_text(encoding="utf-8")
    for old, new in (("0.7}", "7}"), ("0.738", "-1"), ('"comm_s": 0,', '"comm_s": -2,')):
        text = text.replace(old, new)

    error = failure("instance", tmp_path / "x.json", text.encode())
    assert (error.line, error.path) == (6, "workload.target_load")

    error = failure("instance", tmp_path / "x.json", text.replace("7}", "0.7}").encode())
    assert (error.line, error.path) == (8, "servers[0].comm_s")


@pytest.mark.parametrize(
    "members", [",".join(f'"{i}": 1' for i in range(100_000)) + ', "7": 2', '"": 0,' * 100_000 + '"": 1']
)
def test_many_keys(members: str, tmp_path: Path) -> None:
    """A key that stands twice among many is found in linear time."""
    error = failure("instance", tmp_path / "x.json", f'{{"tags": {{{members}}}}}'.encode())

    assert "stands twice in one object" in failure("instance", tmp_path / "x.json", f"{{{members}}}".encode()).message
    assert error.message == "the key 'format' is missing"


def test_last_of_many_servers(tmp_path: Path) -> None:
    """A mistake at the end of a long file is found in linear time, and so is one of many."""
    server = '{"id": "s%d", "memory_gb": 40, "comm_s": 0.738, "comp_s_per_block": 0.109}'
    example = (EXAMPLES / "instance.json").read_text(encoding="utf-8")
    many = "".join(f"{server % i},\n" for i in range(20_000, 40_000))
    text = example.replace('    {"id": "s01"', many + '    {"id": "s01"', 1)

    error = failure("instance", tmp_path / "x.json", text.replace('"stop": 3', '"stop": 4').encode())
    assert (error.line, error.path) == (20_009, "servers[20001].pin.stop")

    error = failure("instance", tmp_path / "x.json", text.replace("0.738", '"0.738"').encode())
    assert (error.line, error.path) == (8, "servers[0].comm_s")
