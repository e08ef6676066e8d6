"""Kubernetes: the processes of another engine as StatefulSets of one pod each, pinned to nodes by a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainopt.errors import FormatError, InfeasibleError
from chainopt.export.deployment import Deployment, Variable
from chainopt.export.documents import json_text
from chainopt.export.engines.llama_cpp import llama_cpp
from chainopt.export.engines.parallax import parallax
from chainopt.export.engines.petals import petals
from chainopt.export.engines.sglang import sglang
from chainopt.export.engines.vllm import vllm
from chainopt.export.plan import Sharing
from chainopt.model.record import shown

if TYPE_CHECKING:
    from chainopt.export.deployment import Addresses, Argument, Engine, Process
    from chainopt.export.options import Options
    from chainopt.export.plan import Plan

VERSION = "Kubernetes 1.27 and later (apps/v1, v1)"
RUNTIMES: dict[str, Engine] = {
    "vllm": vllm,
    "sglang": sglang,
    "petals": petals,
    "llama-cpp": llama_cpp,
    "parallax": parallax,
}
DEFAULT_RUNTIME = "vllm"
NODE_LABEL = "chainopt/server"
FOLDER = "/chainopt"


def kubernetes(plan: Plan, options: Options, addresses: Addresses) -> Deployment:
    """A Service without address and a StatefulSet for each process of the runtime."""
    runtime = options.runtime or DEFAULT_RUNTIME
    if runtime not in RUNTIMES:
        raise FormatError(f"expected one of {', '.join(RUNTIMES)}, got {shown(runtime)}", path="--runtime")
    if options.image is None:
        raise FormatError(f"expected an image in which the commands of {runtime} run", path="--image")
    if plan.sharing is Sharing.SPLIT:
        raise InfeasibleError("Kubernetes gives a device to one pod; --exclusive composes chains that do not meet")
    inner = RUNTIMES[runtime](plan, options, addresses)
    objects = []
    for process in inner.processes:
        server = addresses.labels[process.server]
        objects += [_service(process), _stateful_set(process, server, plan, options.image)]
    files = {"manifests.yaml": "---\n".join(json_text(each) for each in objects), **inner.files}
    used = sorted({process.server for process in inner.processes})
    labelled = "\n".join(f"{addresses.labels[j]}\t{plan.instance.servers[j].id}" for j in used) + "\n"
    files["nodes.tsv"] = labelled
    variables = {a.name: a.meaning for process in inner.processes for a in process.argv if isinstance(a, Variable)}
    notes = [
        f"Label the node of each server, as nodes.tsv says: kubectl label node NODE {NODE_LABEL}=LABEL. Then run "
        "kubectl apply -f manifests.yaml.",
        *(f"Make the ConfigMap chainopt first, with {name}: {meaning}." for name, meaning in variables.items()),
        f"Files that commands name are looked for in {FOLDER}, where the Secret chainopt-files is mounted at keys/ if "
        "there is one."
        if runtime == "petals"
        else "Pods reach each other by the names of their services.",
    ]
    return Deployment(inner.plan, inner.processes, inner.endpoints, files, (*notes, *inner.notes))


def _service(process: Process) -> dict[str, Any]:
    """A name for the pod; without an address of its own, since engines open further ports."""
    ports = [{"name": f"port-{i}", "port": port} for i, port in enumerate(process.ports)]
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"chainopt/process": process.name}}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": process.name, "labels": _labels(process)},
        "spec": {**spec, **({"ports": ports} if ports else {})},
    }


def _stateful_set(process: Process, server: str, plan: Plan, image: str) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "engine",
        "image": image,
        "workingDir": FOLDER,
        "command": [_literal(argument) for argument in process.argv],
        "ports": [{"containerPort": port} for port in process.ports],
        "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
    }
    env = [{"name": name, "value": _literal(value)} for name, value in process.env.items()]
    if env:
        container["env"] = env
    volumes: list[dict[str, Any]] = [{"name": "shm", "emptyDir": {"medium": "Memory"}}]
    if any(isinstance(argument, Variable) for argument in process.argv):
        container["envFrom"] = [{"configMapRef": {"name": "chainopt"}}]
    if any(argument == "--identity_path" for argument in process.argv):
        container["volumeMounts"].append({"name": "keys", "mountPath": f"{FOLDER}/keys", "readOnly": True})
        volumes.append({"name": "keys", "secret": {"secretName": "chainopt-files", "optional": True}})
    if process.gpu:
        container["resources"] = {"limits": {"nvidia.com/gpu": 1}}
    template = {
        "metadata": {
            "labels": _labels(process),
            "annotations": {
                "chainopt/server-id": plan.instance.servers[process.server].id,
                "chainopt/task": process.task,
            },
        },
        "spec": {"nodeSelector": {NODE_LABEL: server}, "containers": [container], "volumes": volumes},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": process.name, "labels": _labels(process)},
        "spec": {
            "serviceName": process.name,
            "replicas": 1,
            "selector": {"matchLabels": {"chainopt/process": process.name}},
            "template": template,
        },
    }


def _labels(process: Process) -> dict[str, str]:
    return {"app.kubernetes.io/part-of": "chainopt", "chainopt/process": process.name}


def _literal(argument: Argument) -> str:
    """Text that Kubernetes leaves alone: it replaces $(NAME), and makes one dollar of two."""
    return f"$({argument.name})" if isinstance(argument, Variable) else argument.replace("$", "$$")
