"""Reads field selectors: how lists and watches ask for pods by phase or node, and for events by what they are about."""

import re
from collections.abc import Mapping

from roost.errors import InvalidObject

FieldRequirement = tuple[str, str, str]
"""A path such as `spec.nodeName`, the operator `=` or `!=`, and the value."""

_TERMS = re.compile(r"((?:\\.|[^\\,])*\\?)(?:,|$)", re.DOTALL)
_TERM = re.compile(r"(?P<path>[^=!\\]+)(?P<operator>!=|==?)(?P<value>(?:\\[\\,=]|[^\\,=])*)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")


def parse_field_selector(text: str) -> tuple[FieldRequirement, ...]:
    """Read a selector such as `status.phase!=Succeeded,spec.nodeName=`.

    All requirements must hold; an empty text selects everything; a backslash escapes a comma, an equals sign or a
    backslash in a value. Raises InvalidObject if the text is no selector.
    """
    return tuple(_requirement(text, term) for term in _TERMS.findall(text) if term)


def field_selector_matches(parsed: tuple[FieldRequirement, ...], fields: Mapping[str, str]) -> bool:
    """Tell whether an object's fields meet all requirements; a field that is absent counts as empty."""
    return all((fields.get(path, "") == value) == (operator == "=") for path, operator, value in parsed)


def _requirement(text: str, term: str) -> FieldRequirement:
    match = _TERM.fullmatch(term)
    if match is None:
        raise InvalidObject(
            f"field selector {text!r} cannot be read at {term!r}: "
            "write requirements such as status.phase=Running or spec.nodeName!=, separated by commas"
        )
    operator = "!=" if match["operator"] == "!=" else "="
    return match["path"], operator, _ESCAPED.sub(r"\1", match["value"])
