"""What an engine answers: processes, where to reach chains, and files beside them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from chainopt.errors import FormatError
from chainopt.export.names import host_name, labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chainopt.export.options import Host, Options
    from chainopt.export.plan import Plan

LAST_PORT = 65535


@dataclass(frozen=True)
class Variable:
    """An argument that is known only when processes are started, as an environment variable.

    Attributes
    ----------
    meaning
        What it has to be, for who forgets it.
    """

    name: str
    meaning: str


Argument = str | Variable


@dataclass(frozen=True)
class Process:
    """One process of an engine.

    Attributes
    ----------
    name
        A label of DNS, different for each process.
    server
        Position of the server that it runs on.
    task
        What it does, on one line.
    argv
        The command and its arguments.
    ports
        Ports that it listens on, the service's first.
    gpu
        Whether it uses the device of its server.
    """

    name: str
    server: int
    task: str
    argv: tuple[Argument, ...]
    ports: tuple[int, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    gpu: bool = True


@dataclass(frozen=True)
class Deployment:
    """What starts a plan on an engine.

    Attributes
    ----------
    plan
        As it is run: capacities may be lower than those that were asked for, if that was allowed.
    processes
        In the order in which they are to be started.
    endpoints
        Address of each chain by its name, None where clients reach chains in another way.
    files
        Texts by their path in the folder.
    notes
        What a reader should know before starting, one paragraph each.
    """

    plan: Plan
    processes: tuple[Process, ...] = ()
    endpoints: Mapping[str, str | None] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Engine(Protocol):
    """What turns a plan into a deployment."""

    def __call__(self, plan: Plan, options: Options, addresses: Addresses) -> Deployment:
        """The deployment.

        Raises
        ------
        InfeasibleError
            If the engine's own rules would not run exactly the plan.
        """


class Addresses:
    """Names and addresses of servers, and ports: each process gets one of its own, so that they can share a machine.

    Parameters
    ----------
    by_process
        Whether a process is reached by its own name, as in Kubernetes, rather than by the address of its server.
    """

    def __init__(self, plan: Plan, options: Options, *, by_process: bool = False) -> None:
        self._ids = [server.id for server in plan.instance.servers]
        self.labels = labels(self._ids, "server", 30)
        self._names = labels([host_name(text) for text in self.labels], "server", 40)
        self._hosts = options.hosts
        self._next_port = options.port
        self._by_process = by_process

    def port(self) -> int:
        """The next port.

        Raises
        ------
        FormatError
            If there is none left.
        """
        if self._next_port > LAST_PORT:
            raise FormatError(f"more ports are needed than there are up to {LAST_PORT}", path="--port")
        self._next_port += 1
        return self._next_port - 1

    def host(self, server: int) -> Host | None:
        """What is known of where a server is."""
        return self._hosts.get(self._ids[server])

    def address(self, server: int, process: str) -> str:
        """How others reach a process on a server."""
        if self._by_process:
            return process
        host = self.host(server)
        return self._names[server] if host is None else host.address

    def environment(self, server: int) -> dict[str, str]:
        """Which device a process on this server may use."""
        host = self.host(server)
        return {} if host is None or host.device is None else {"CUDA_VISIBLE_DEVICES": host.device}


def joined(address: str, port: int) -> str:
    """ADDRESS:PORT, with brackets around an IPv6 address."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def multiaddress(address: str, port: int) -> str:
    """The same as a libp2p multiaddress."""
    try:
        kind = f"ip{ipaddress.ip_address(address).version}"
    except ValueError:
        kind = "dns4"
    return f"/{kind}/{address}/tcp/{port}"
