"""The values of a Hugging Face ``config.json``, each checked when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainopt.errors import FormatError
from chainopt.model.record import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 10**9


class Config:
    """A mapping of configuration keys; a null counts as absent, as Hugging Face means it.

    Parameters
    ----------
    source
        File or model, for messages.
    prefix
        Where the mapping stands in the file, such as ``text_config.``.
    """

    def __init__(self, values: Mapping[str, Any], source: str, prefix: str = "") -> None:
        self.values = values
        self.source = source
        self.prefix = prefix

    def get(self, *keys: str) -> tuple[str, Any]:
        """First of the keys that has a value, and the value; the first key and ``None`` if none has."""
        for key in keys:
            if self.values.get(key) is not None:
                return key, self.values[key]
        return keys[0], None

    def error(self, key: str, message: str) -> FormatError:
        """The error that says what is wrong with the value of a key."""
        return FormatError(message, source=self.source, path=self.prefix + key)

    def size(self, *keys: str, default: int | None = None, least: int = 1) -> int:
        """An integer of at least `least`, under the first of its names that has a value.

        Raises
        ------
        FormatError
            If it is missing without default, or is no such integer.
        """
        key, value = self.get(*keys)
        if value is None and default is not None:
            return default
        expected = f"an integer from {least} to {MOST}"
        if value is None:
            names = " or ".join(keys)
            raise self.error(key, f"the key {names} is missing, expected {expected}")
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST:
            raise self.error(key, f"expected {expected}, got {shown(value)}")
        return value

    def optional_size(self, *keys: str) -> int | None:
        """A positive integer, or ``None`` if it is absent or null."""
        return None if self.get(*keys)[1] is None else self.size(*keys)

    def flag(self, key: str, default: bool) -> bool:
        """A truth value."""
        _, value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(key, f"expected true or false, got {shown(value)}")
        return value

    def text(self, *keys: str) -> str | None:
        """A string, or ``None`` if it is absent."""
        key, value = self.get(*keys)
        if value is not None and not isinstance(value, str):
            raise self.error(key, f"expected a string, got {shown(value)}")
        return value

    def indices(self, key: str, below: int) -> frozenset[int]:
        """A list of block numbers, empty if absent."""
        _, value = self.get(key)
        if value is not None and not isinstance(value, list):
            raise self.error(key, f"expected an array, got {shown(value)}")
        for position, i in enumerate(value or ()):
            if not isinstance(i, int) or isinstance(i, bool) or not 0 <= i < below:
                message = f"expected a block number from 0 to {below - 1}, got {shown(i)}"
                raise self.error(f"{key}[{position}]", message)
        return frozenset(value or ())

    def part(self, key: str) -> Config | None:
        """A nested object, or ``None`` if it is absent."""
        _, value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(key, f"expected an object, got {shown(value)}")
        return Config(value, self.source, f"{self.prefix}{key}.")

    def quotient(self, value: int, by: int, keys: str) -> int:
        """`value` / `by`, which must divide it.

        Parameters
        ----------
        keys
            Names of the two, for the message.
        """
        if value % by:
            first = keys.split()[0]
            raise self.error(first, f"expected {keys}, got {value} and {by}")
        return value // by
