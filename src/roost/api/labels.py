"""Tells which labels a selector selects: one place for the rules that affinity, spreading and watches share."""

import re
from collections.abc import Mapping

from roost.api.selectors import LabelSelector, Requirement
from roost.errors import InvalidObject

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}(?![-A-Za-z0-9_./])"
_REQUIREMENT = re.compile(
    rf"""\s*(?:
        !\s*(?P<absent>{_KEY})
      | (?P<set_key>{_KEY})\s+(?P<set_operator>in|notin)\s*\(\s*(?P<values>[^()]*?)\s*\)
      | (?P<key>{_KEY})\s*(?:(?P<operator>==?|!=|<|>)\s*(?P<value>[^\s=!(),<>]*))?
    )\s*(?:,(?=\s*[^\s,])|$)""",
    re.VERBOSE,
)
_VALUE = re.compile(rf"(?:{_NAME})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,63}")
_OPERATORS = {"in": "In", "notin": "NotIn", "=": "In", "==": "In", "!=": "NotIn", "<": "Lt", ">": "Gt"}
_ADVICE = "write requirements such as a=b, c!=d, e in (x,y), f or !g, separated by commas"


def requirement_matches(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    """Tell whether labels meet one requirement.

    NotIn and DoesNotExist hold for labels without the key; Gt and Lt hold only between integers. An operator that
    Kubernetes does not know holds for nothing.
    """
    label = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return label is not None and label in (requirement.values or ())
        case "NotIn":
            return label is None or label not in (requirement.values or ())
        case "Exists":
            return label is not None
        case "DoesNotExist":
            return label is None
        case "Gt" | "Lt":
            return label is not None and _compares(requirement, label)
        case _:
            return False


def selects(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Tell whether a selector selects labels: none at all selects nothing, an empty one selects everything."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.match_labels or {}).items()):
        return False
    return all(requirement_matches(requirement, labels) for requirement in selector.match_expressions or ())


def parse_label_selector(text: str) -> tuple[Requirement, ...]:
    """Read a selector as kubectl and watch requests spell it: `a=b,c!=d,e in (x,y),f,!g`.

    All requirements must hold; an empty text selects everything. Raises InvalidObject if the text is no selector.
    """
    requirements = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _REQUIREMENT.match(text, position, end)
        requirement = _requirement(match) if match else None
        if match is None or requirement is None:
            raise InvalidObject(f"label selector {text!r} cannot be read at {text[position:]!r}: {_ADVICE}")
        requirements.append(requirement)
        position = match.end()
    return tuple(requirements)


def is_label_value(text: str) -> bool:
    """Tell whether a text may stand as the value of a label; the empty text may."""
    return _VALUE.fullmatch(text) is not None


def _requirement(match: re.Match[str]) -> Requirement | None:
    if match["absent"]:
        return Requirement(key=match["absent"], operator="DoesNotExist")
    if match["key"] and match["operator"] is None:
        return Requirement(key=match["key"], operator="Exists")
    operator = _OPERATORS[match["set_operator"] or match["operator"]]
    values = re.split(r"\s*,\s*", match["values"]) if match["set_key"] else [match["value"]]
    if not all(is_label_value(value) for value in values) or (operator in ("Gt", "Lt") and _integer(values[0]) is None):
        return None
    return Requirement(key=match["set_key"] or match["key"], operator=operator, values=tuple(values))


def _compares(requirement: Requirement, label: str) -> bool:
    values = requirement.values or ()
    have, bound = _integer(label), _integer(values[0]) if len(values) == 1 else None
    if have is None or bound is None:
        return False
    return have > bound if requirement.operator == "Gt" else have < bound


def _integer(text: str) -> int | None:
    number = int(text) if _INTEGER.fullmatch(text) else None
    return number if number is not None and -(2**63) <= number < 2**63 else None
