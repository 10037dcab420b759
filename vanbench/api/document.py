"""The JSON document of a command, as ``to_json()`` returns it."""

from typing import Any

from vanbench.typed_json import Json

SCHEMA = 1
"""The version of the form, as in ``vanbench/schemas/``."""


def document(**top: Any) -> Json:
    """A document with these keys at its top level."""
    return {"schema": SCHEMA, **top}
