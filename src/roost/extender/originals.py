"""How the replaced extenders behaved beside their scores, where whoever relied on it would notice."""

from collections.abc import Collection

from msgspec import Struct

_TEXT = "Extender doesn't support Bind: make 'BindVerb' be empty in your ExtenderConfig"
_OLDER_TEXT = "This extender doesn't support Bind.  Please make 'BindVerb' be empty in your ExtenderConfig."
_WELCOME = "Welcome to sample-scheduler-extender!\n"

_WITH_OLDER_TEXT = frozenset({"AlwaysTrue", "ZeroScore", "NodeIndex"})
_WITH_OPTIONS = frozenset({"NodeIndex", "Lucky"})


class Manners(Struct, frozen=True):
    """What bind says where it is not supported, whether OPTIONS is answered, what GET / says (None: our routes).

    `absent` are the paths of ours that the replaced program does not have.
    """

    refusal: str
    answers_options: bool
    welcome: str | None
    absent: frozenset[str] = frozenset()


def manners_of(policies: Collection[str], *, is_original: bool) -> Manners:
    """Return the manners of the program that these policies replace; with several programs, those of IBM's."""
    served = frozenset(policies)
    return Manners(
        refusal=_OLDER_TEXT if served <= _WITH_OLDER_TEXT else _TEXT,
        answers_options=served <= _WITH_OPTIONS,
        welcome=_WELCOME if is_original and "Lucky" in served else None,
        absent=_absent(served) if is_original else frozenset(),
    )


def _absent(served: Collection[str]) -> frozenset[str]:
    if set(served) == {"Lucky"}:
        return frozenset({"/bind", "/preempt", "/scheduler/bind", "/scheduler/preemption"})
    return frozenset({"/scheduler/preemption"} if "Lucky" in served else {"/", "/scheduler/preemption"})
