"""Reviews: who am I, and what may I do. Everybody is the admin of a cluster of their own."""

from roost.apiserver.requests import Request
from roost.apiserver.resources import Resource
from roost.apiserver.stored import Object
from roost.errors import ApiError

_USER = {"username": "admin", "uid": "admin", "groups": ["system:masters", "system:authenticated"]}
_ALL_VERBS = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
_RULES = {
    "resourceRules": [_ALL_VERBS],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}
_STATUS: dict[str, Object] = {
    "SelfSubjectAccessReview": {"allowed": True},
    "SubjectAccessReview": {"allowed": True},
    "SelfSubjectRulesReview": _RULES,
    "SelfSubjectReview": {"userInfo": _USER},
    "TokenReview": {"authenticated": True, "user": _USER},
}


def review(resource: Resource, request: Request) -> Object:
    """Return a review as it is answered; what exactly was asked changes nothing, so the body may be unreadable."""
    try:
        asked = request.object()
    except ApiError:
        asked = {}
    kind = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {}}
    return {**asked, **kind, "status": _STATUS[resource.kind]}
