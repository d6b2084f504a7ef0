"""Which path is answered by what, and what is said of all others.

A path with a slash at its end, with slashes too many or in another letter case is redirected to the right one, if that
knows the method; a method that a path does not know is refused with those that it knows.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from html import escape
from urllib.parse import quote

from roost.errors import ConfigError
from roost.extender.http_messages import Request, Response

Answer = Callable[[Request], Awaitable[Response]]

_PLAIN = (("Content-Type", "text/plain; charset=utf-8"),)
_PLAIN_ERROR = (*_PLAIN, ("X-Content-Type-Options", "nosniff"))


def text(body: str | bytes, status: int = 200) -> Response:
    """Return an answer in plain text."""
    return Response(status, _PLAIN, (body.encode() if isinstance(body, str) else body,))


class Routes:
    """Answers by path and method; itself the handler of an HTTP server. Paths that are to be `absent` are not added."""

    def __init__(self, *, answers_options: bool = False, absent: Collection[str] = ()) -> None:
        self._answers_options = answers_options
        self._absent = absent
        self._routes: dict[str, dict[str, Answer]] = {}
        self._folded: dict[str, str] = {}

    def add(self, path: str, answer: Answer, *methods: str) -> None:
        """Answer a path; raises ConfigError if that is done by somebody else already."""
        if path in self._absent:
            return
        if path in self._routes:
            raise ConfigError(f"two policies answer {path}; leave one of them out")
        self._routes[path] = dict.fromkeys(methods, answer)
        self._folded.setdefault(path.casefold(), path)

    @property
    def paths(self) -> Mapping[str, list[str]]:
        """The paths and their methods."""
        return {path: list(answers) for path, answers in self._routes.items()}

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        answers = self._routes.get(request.path)
        if answers is None:
            return self._elsewhere(request)
        answer = answers.get(request.method)
        if answer is not None:
            return await answer(request)
        allowed = ("Allow", ", ".join([*answers, "OPTIONS"] if self._answers_options else answers))
        if request.method == "OPTIONS" and self._answers_options:
            return Response(200, (allowed,))
        return Response(405, (*_PLAIN_ERROR, allowed), (b"Method Not Allowed\n",))

    def _elsewhere(self, request: Request) -> Response:
        cleaned = "/" + "/".join(part for part in request.path.split("/") if part)
        right = self._folded.get(cleaned.casefold())
        if right is None or request.method not in self._routes[right]:
            return Response(404, _PLAIN_ERROR, (b"404 page not found\n",))
        location = ("Location", quote(right))
        if request.method != "GET":
            return Response(307, (location,))
        page = f'<a href="{escape(quote(right))}">Moved Permanently</a>.\n\n'
        return Response(301, (("Content-Type", "text/html; charset=utf-8"), location), (page.encode(),))
