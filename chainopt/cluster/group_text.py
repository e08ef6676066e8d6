"""Groups of servers in one word, such as ``2xl4:3@20ms``."""

from __future__ import annotations

import re
from decimal import Decimal

from pydantic import ValidationError

from chainopt.cluster.description import Group
from chainopt.errors import FormatError
from chainopt.files.document import mistake
from chainopt.model.record import shown

_EXPECTED = "[NAME=][DEVICESx]GPU[:PROFILE][:COUNT][@RTTms], such as a100-80gb:3@20ms"
_GROUP = re.compile(
    r"(?:(?P<name>[^=@]+)=)?"
    r"(?:(?P<devices>[0-9]{1,9})x)?"
    r"(?P<gpu>[^:@=]+?(?::[0-9]+g\.[0-9]+gb)?)"
    r"(?::(?P<count>[0-9]{1,9}))?"
    r"(?:@(?P<rtt>[0-9]*\.?[0-9]+) ?(?P<unit>ms|s)?)?",
    re.IGNORECASE | re.ASCII,
)


def parse_group(text: str) -> Group:
    """A group of servers: its GPU, how many servers, and the round trip time to them.

    ``paris=2xL4:3@20ms`` are 3 servers with the ids paris-1 to paris-3, each of 2 L4 that share each block, 20 ms away.
    A MIG profile stands behind the GPU, as in ``a100-80gb:3g.40gb:6@5ms``. Without a unit, times are milliseconds.

    Raises
    ------
    FormatError
        If it is no such text.
    """
    match = _GROUP.fullmatch(text.strip())
    if match is None:
        raise FormatError(f"expected {_EXPECTED}, got {shown(text)}")
    rtt_ms = Decimal(match["rtt"] or 0) * (1000 if (match["unit"] or "").lower() == "s" else 1)
    try:
        return Group(
            gpu=match["gpu"].strip(),
            count=int(match["count"] or 1),
            devices=int(match["devices"] or 1),
            rtt_ms=rtt_ms,
            name=match["name"],
        )
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise FormatError(mistake(detail), source=shown(text), path=str(detail["loc"][0])) from None
