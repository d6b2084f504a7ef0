"""What an HTTP request asks for and what is answered, as values."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from roost.apiserver.negotiation import APPLY_PATCH, JSON, YAML, check_body, media_type
from roost.apiserver.refusals import bad_request
from roost.apiserver.status import invalid_options
from roost.apiserver.stored import Object

_TRUE, _FALSE = ("true", "1", "t", "T", "TRUE", "True", ""), ("false", "0", "f", "F", "FALSE", "False")


class Request(Struct, frozen=True, kw_only=True):
    """One request, read whole."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    accept: str = ""
    content_type: str = ""
    body: bytes = b""

    def flag(self, name: str) -> bool | None:
        """Return a yes or no of the query, None if it is not there; refuses (400) what is neither."""
        text = self.query.get(name)
        if text is None:
            return None
        if text not in _TRUE and text not in _FALSE:
            raise bad_request(f'strconv.ParseBool: parsing "{text}": invalid syntax')
        return text in _TRUE

    def number(self, name: str) -> int:
        """Return a number of the query, 0 if it is not there; refuses (400) what is none."""
        text = self.query.get(name, "") or "0"
        if not text.isascii() or not text.isdigit():
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)

    @property
    def is_dry_run(self) -> bool:
        """Whether nothing is to be stored; refuses (422) any way of it but All."""
        asked = self.query.get("dryRun", "")
        if asked not in ("", "All"):
            message = f'Unsupported value: "{asked}": supported values: "All"'
            raise invalid_options("Options", [("FieldValueNotSupported", message, "dryRun")])
        return asked == "All"

    def object(self) -> Object:
        """Return the body as an object; refuses (415, 400) all else."""
        check_body(self.content_type)
        body = self.json()
        if not isinstance(body, dict):
            raise bad_request("the body is no object")
        for name in ("metadata", "spec", "status"):
            if not isinstance(body.get(name), dict | None):
                raise bad_request(f"cannot unmarshal: {name} is no object")
        return body

    def json(self) -> Any:
        """Return the body, read as JSON, or as YAML if that is what it says it is."""
        try:
            return msgspec.json.decode(self.body)
        except (ValueError, RecursionError) as error:
            if media_type(self.content_type) not in (YAML, APPLY_PATCH):
                raise bad_request(f"the body cannot be read: json parse error: {error}") from error
        try:
            return msgspec.yaml.decode(self.body)
        except (ValueError, RecursionError) as error:
            raise bad_request(f"the body cannot be read: error decoding YAML: {error}") from error


class Response(Struct, frozen=True):
    """One answer."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    retry_after: int = 0


def as_json(value: object, status: int = 200, content_type: str = JSON) -> Response:
    """Return an answer with a JSON body."""
    return Response(status, msgspec.json.encode(value), content_type)


def as_text(text: str, status: int = 200) -> Response:
    """Return an answer that is a line of text."""
    return Response(status, text.encode(), "text/plain; charset=utf-8")
