"""What a request accepts and what it sends: JSON in all cases, as objects, as tables or as metadata alone."""

from collections.abc import Iterator

from roost.apiserver.status import refusal

TABLE, PARTIAL = "Table", "PartialObjectMetadata"
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
YAML = "application/yaml"
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_ANY = (JSON, "application/*", "*/*")
_SHAPES = {TABLE: TABLE, PARTIAL: PARTIAL, f"{PARTIAL}List": PARTIAL}
_SPEAKS_JSON = (
    "the embedded cluster speaks JSON, not protobuf: for kube-scheduler set `contentType: application/json` under "
    "clientConnection in its configuration; with kubectl, write the object and `kubectl apply -f` it "
    "(such as `kubectl create … --dry-run=client -o yaml | kubectl apply -f -`)"
)


def accepted_shape(accept: str) -> str:
    """Return the shape that objects are asked for in: Table, PartialObjectMetadata or plain; refuses (406) the rest."""
    for media, parameters in _media(accept or JSON):
        shape = parameters.get("as", "")
        if media not in _ANY:
            continue
        if not shape:
            return ""
        if shape in _SHAPES and parameters.get("g") == "meta.k8s.io" and parameters.get("v") == "v1":
            return _SHAPES[shape]
    if _PROTOBUF in accept:
        raise refusal(406, _SPEAKS_JSON)
    raise refusal(406, f"406: Not Acceptable\n\nAvailable representations: {JSON}")


def accepts(accept: str, shape: str, group: str, version: str) -> bool:
    """Tell whether a shape is accepted, before plain JSON."""
    for media, parameters in _media(accept):
        if media in _ANY and "as" not in parameters:
            return False
        asked = (parameters.get("as"), parameters.get("g"), parameters.get("v"))
        if media == JSON and asked == (shape, group, version):
            return True
    return False


def check_body(content_type: str) -> None:
    """Refuse (415) a body that is not JSON or YAML."""
    media = media_type(content_type)
    if media == _PROTOBUF:
        raise refusal(415, _SPEAKS_JSON)
    if media not in ("", JSON, YAML, APPLY_PATCH):
        text = f"the body of the request was in an unknown format - accepted media types include: {JSON}, {YAML}"
        raise refusal(415, text)


def media_type(content_type: str) -> str:
    """Return a media type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def _media(accept: str) -> Iterator[tuple[str, dict[str, str]]]:
    for clause in accept.split(","):
        media, *rest = (part.strip() for part in clause.split(";"))
        yield media.lower(), dict(part.split("=", 1) for part in rest if "=" in part)
