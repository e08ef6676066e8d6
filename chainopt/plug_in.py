"""Methods of users: a function in a file, ``path/to/file.py:function``, or an entry point of ``chainopt.methods``.

The function takes an instance, and whichever of the keywords ``seed``, ``time_limit_s`` and ``objective`` it has
parameters for. It returns a `Placement`, whose chains GCA then finds; a `Composition`; or a `Solution`. None, or an
`InfeasibleError`, says that it found nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
import traceback
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainopt.allocation import gca
from chainopt.answer import Answer
from chainopt.errors import ChainoptError, InfeasibleError, UnstableError
from chainopt.jit import interrupted
from chainopt.model.composition import Composition
from chainopt.model.placement import Placement
from chainopt.model.record import MOST_NAME
from chainopt.model.solution import Objective, Solution, Status
from chainopt.quantity import at_least

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from chainopt.model.instance import Instance

GROUP = "chainopt.methods"
"""Entry points that are methods."""

KEYWORDS = ("seed", "time_limit_s", "objective")
"""What a function is given if it has a parameter of the name."""


@dataclass(frozen=True, eq=False)
class PlugIn:
    """A function of a user.

    Attributes
    ----------
    name
        How the user calls it.
    function
        The function itself.
    code
        What it was made of, so that a benchmark notices a change: the digest of the file, or the version of the
        package.
    path
        Its file, None for an entry point.
    """

    name: str
    function: Callable[..., Any]
    code: str
    path: Path | None = None
    takes: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "takes", _parameters(self.name, self.function))

    def check(self, options: Mapping[str, Any]) -> None:
        """Check that the function takes these options.

        Raises
        ------
        ChainoptError
            If it does not, or needs others.
        """
        given = {name: None for name in KEYWORDS if name in self.takes} | dict(options)
        clash = next((name for name in options if name in KEYWORDS), None)
        if clash is not None:
            raise ChainoptError(f"{self.name}: {clash!r} is not an option: every method is given it")
        try:
            inspect.signature(self.function).bind(None, **given)
        except TypeError as error:
            raise ChainoptError(f"{self.name}: the function cannot be called so: {error}") from None
        except ValueError:
            pass  # written in C, without a signature

    def solve(
        self,
        instance: Instance,
        objective: Objective = Objective.RESPONSE_TIME,
        *,
        seed: int = 0,
        time_limit_s: float | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Solution:
        """Ask the function; nothing that it answers has been verified.

        Raises
        ------
        InfeasibleError
            If it found nothing.
        UnstableError
            If what it found does not carry the arrival rate.
        ChainoptError
            If it fails, or returns something else; the message says where.
        """
        options = options or {}
        answer = Answer(instance, self.name[-MOST_NAME:], objective, seed, dict(options))
        given = {"seed": seed, "time_limit_s": time_limit_s, "objective": objective.value}
        keywords = {name: value for name, value in given.items() if name in self.takes}
        try:
            with _beside(self.path):
                found = self.function(instance, **keywords, **options)
        except (InfeasibleError, UnstableError) as error:
            raise InfeasibleError(str(error), answer.solution(Status.UNKNOWN)) from error
        except BaseException as error:  # also what is no `Exception`: panics of Rust, skips of test runners
            if interrupted(error):
                raise KeyboardInterrupt from None
            raise ChainoptError(self._told(error)) from error
        if found is None:
            raise InfeasibleError(f"{self.name} found nothing", answer.solution(Status.UNKNOWN))
        try:
            return self._solution(instance, objective, answer, found)
        except (InfeasibleError, UnstableError):
            raise
        except (ArithmeticError, TypeError, ValueError, IndexError) as error:
            reason = " ".join(str(error).split())
            raise ChainoptError(f"{self.name}: what it returns is no answer for {instance.name!r}: {reason}") from error

    def _solution(self, instance: Instance, objective: Objective, answer: Answer, found: object) -> Solution:
        if isinstance(found, Solution):
            if found.objective is not objective:
                raise ValueError(f"expected a solution for the objective {objective}, got one for {found.objective}")
            return found.bind(instance)
        composition = gca(instance, found) if isinstance(found, Placement) else found
        if not isinstance(composition, Composition):
            raise TypeError(f"expected a Placement, a Composition or a Solution, got {type(found).__name__}")
        if not composition.job_servers:
            raise InfeasibleError(f"{self.name} finds no chain", answer.solution(Status.UNKNOWN))
        rate, arrival_rate = composition.total_service_rate, float(instance.workload.arrival_rate)
        if at_least(arrival_rate, rate) and objective is not Objective.RATE:
            raise UnstableError(
                f"the arrival rate is {arrival_rate:g} jobs/s, the total service rate found by {self.name} {rate:g}",
                answer.solution(Status.UNSTABLE, composition),
            )
        enough = objective is not Objective.JOB_SERVERS or at_least(rate, instance.design_rate)
        return answer.solution(Status.FEASIBLE if enough else Status.UNKNOWN, composition)

    def _told(self, error: BaseException) -> str:
        """What went wrong in the function, and where: the last line of its own file that took part."""
        text = " ".join(str(error).split())
        kind = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)[1:]
        own = [frame for frame in frames if self.path is not None and Path(frame.filename) == self.path] or frames
        where = f"line {own[-1].lineno}, in {own[-1].name}: " if own else ""
        return f"{self.name}: {where}{kind}{': ' if text else ''}{text}"


def _parameters(name: str, function: Callable[..., Any]) -> frozenset[str]:
    """Which of the keywords a function takes."""
    if not callable(function):
        raise ChainoptError(f"{name}: expected a function, got {type(function).__name__}")
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return frozenset()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return frozenset(KEYWORDS)
    positional = parameters and next(iter(parameters)).name
    return frozenset(
        parameter.name
        for parameter in parameters
        if parameter.name in KEYWORDS
        and parameter.kind is not parameter.POSITIONAL_ONLY
        and parameter.name != positional
    )


def unproven(solution: Solution) -> Solution:
    """The solution of a user's method without what nobody can check: a bound, an optimum, that nothing exists."""
    weaker = {Status.OPTIMAL: Status.FEASIBLE, Status.INFEASIBLE: Status.UNKNOWN}
    return solution.replace(status=weaker.get(solution.status, solution.status), bound=None, gap=None)


def is_file(name: str) -> bool:
    """Whether a name of a method is that of a function in a file."""
    return name.rpartition(":")[0].endswith(".py")


def is_plug_in(name: str) -> bool:
    """Whether a name of a method is that of a user's function, whether it exists or not."""
    return is_file(name) or (not _own(name) and name in names())


def names() -> list[str]:
    """Entry points that are installed, but for those that take the name of a method of chainopt."""
    return sorted({point.name for point in importlib.metadata.entry_points(group=GROUP) if not _own(point.name)})


def _own(name: str) -> bool:
    """Whether this is a name of chainopt's own; installed packages, which takes time, are not asked for it then."""
    return name in ("auto", "exact") or "+" in name


def load(name: str, folder: Path | None = None) -> PlugIn:
    """The function of this name.

    Parameters
    ----------
    name
        ``path/to/file.py:function``, or an entry point.
    folder
        What a path starts from, the current folder if None.

    Raises
    ------
    ChainoptError
        If there is no such function, or its file cannot be run.
    """
    if not is_file(name):
        return _entry_point(name)
    file, _, attribute = name.rpartition(":")
    path = (folder or Path.cwd()).joinpath(file).resolve()
    try:
        code = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ChainoptError(f"{file}: cannot be read: {error.strerror or error}") from None
    function: Any = _module(path, code)
    for step in attribute.split("."):
        function = getattr(function, step, None)
        if function is None:
            raise ChainoptError(f"{file}: it has no {attribute!r}")
    return PlugIn(name, function, code, path)


@cache
def _module(path: Path, code: str) -> ModuleType:
    """A file as a module; a changed one is another one. What it imports may stand beside it."""
    spec = importlib.util.spec_from_file_location(f"chainopt_method_{path.stem}_{code[:8]}", path)
    if spec is None or spec.loader is None:
        raise ChainoptError(f"{path}: cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for themselves there
    try:
        with _beside(path):
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[spec.name]
        if interrupted(error):
            raise KeyboardInterrupt from None
        line = error.lineno if isinstance(error, SyntaxError) else None
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = line or (lines[-1] if lines else None)
        place = f"{path}:{where}" if where else str(path)
        raise ChainoptError(f"{place}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    return module


_NEIGHBOURS: dict[Path, dict[str, ModuleType]] = {}
"""Modules that were imported from beside a user's file, by folder."""


@contextlib.contextmanager
def _beside(file: Path | None) -> Iterator[None]:
    """While a user's file runs, modules beside it can be imported, as from a script; then they are put away.

    For a file in another folder may have neighbours of the same names.
    """
    if file is None:
        yield
        return
    folder = file.parent
    kept = _NEIGHBOURS.setdefault(folder, {})
    others = {name: module for name, module in sys.modules.items() if name not in kept}
    hidden = {name: sys.modules[name] for name in kept if name in sys.modules}
    sys.modules.update(kept)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the file may have changed the path itself
            sys.path.remove(str(folder))
        tops = {name for name, module in sys.modules.items() if name not in others and _stands_in(folder, name, module)}
        kept.update({name: module for name, module in sys.modules.items() if name.partition(".")[0] in tops})
        for name in kept:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def _stands_in(folder: Path, name: str, module: ModuleType) -> bool:
    """Whether a module is a file, or a package, right in a folder."""
    origin = getattr(module, "__file__", None)
    return origin is not None and Path(origin) in (folder / f"{name}.py", folder / name / "__init__.py")


def _entry_point(name: str) -> PlugIn:
    for point in importlib.metadata.entry_points(group=GROUP, name=name):
        try:
            function = point.load()
        except BaseException as error:
            if interrupted(error):
                raise KeyboardInterrupt from None
            raise ChainoptError(f"the method {name!r} ({point.value}) cannot be loaded: {error}") from error
        package = point.dist
        return PlugIn(name, function, f"{package.name} {package.version}" if package else point.value)
    raise ChainoptError(f"no method {name!r}; entry points of {GROUP} are {', '.join(names()) or 'none'}")
