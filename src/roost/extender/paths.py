"""Lays out the paths of a webhook server: those of a profile, those of the replaced extenders, and those of probes.

POST /filter /prioritize /preempt /bind              all policies together
POST /scheduler/predicates/NAME /priorities/NAME     one policy, under the name of the program that it replaces
POST /scheduler/bind /scheduler/preemption           as those programs had them
GET  /version /healthz /livez /readyz /metrics /
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from roost.extender.http_messages import Request, Response
from roost.extender.originals import Manners
from roost.extender.policies import Policies, alone
from roost.extender.routes import Routes, text
from roost.extender.webhook import Webhook
from roost.framework.profile import Profile
from roost.telemetry.families import CONTENT_TYPE
from roost.version import __version__

_MEMORY = 64 << 20
"""Bytes for remembered answers of all policies."""


def lay_out(webhook: Webhook, profile: Profile, manners: Manners, metrics: Callable[[], bytes]) -> Routes:
    """Return the routes; raises ConfigError if two policies would answer one path."""
    routes, plugins = Routes(answers_options=manners.answers_options, absent=manners.absent), plugins_of(profile)
    share = _MEMORY // (2 * len(plugins) + 2)
    together = Policies(label_of(profile), profile, memory_limit=share)
    for prefix, preempt in (("", "preempt"), ("/scheduler", "preemption")):
        routes.add(f"{prefix}/{preempt}", partial(webhook.preempt, together), "POST")
        routes.add(f"{prefix}/bind", partial(webhook.bind, together), "POST")
    routes.add("/filter", partial(webhook.filter, together), "POST")
    routes.add("/prioritize", partial(webhook.prioritize, together), "POST")
    for plugin in plugins:
        policies = Policies(plugin.name, alone(profile, plugin), memory_limit=share)
        for name in _names(plugin):
            if policies.filters:
                routes.add(f"/scheduler/predicates/{name}", partial(webhook.filter, policies), "POST")
            if policies.scores:
                routes.add(f"/scheduler/priorities/{name}", partial(webhook.prioritize, policies), "POST")
    _add_probes(routes, webhook, manners, metrics)
    return routes


def plugins_of(profile: Profile) -> list[Any]:
    """Return each plugin of a profile once, in the order they are asked."""
    scorers = (scorer.plugin for scorer in profile.score)
    return list(dict.fromkeys((*profile.pre_filter, *profile.filter, *profile.pre_score, *scorers)))


def label_of(profile: Profile) -> str:
    """Return the names of a profile's plugins."""
    return ",".join(plugin.name for plugin in plugins_of(profile))


def _names(plugin: Any) -> Iterator[str]:
    """Yield the names of a policy in paths: the one that a replaced program had, and that of its class."""
    yield from dict.fromkeys(filter(None, (plugin.webhook, plugin.name.rpartition(":")[2], type(plugin).__name__)))


def _add_probes(routes: Routes, webhook: Webhook, manners: Manners, metrics: Callable[[], bytes]) -> None:
    async def ready(_: Request) -> Response:
        return text("ok") if webhook.is_ready else text("not in sync yet", 503)

    async def counted(_: Request) -> Response:
        return Response(200, (("Content-Type", CONTENT_TYPE),), (metrics(),))

    async def root(_: Request) -> Response:
        return text(_page(routes) if manners.welcome is None else manners.welcome)

    routes.add("/version", _always(__version__), "GET")
    routes.add("/", root, "GET")
    for path in ("/healthz", "/livez"):
        routes.add(path, _always("ok"), "GET", "HEAD")
    routes.add("/readyz", ready, "GET", "HEAD")
    routes.add("/metrics", counted, "GET", "HEAD")


def _always(body: str) -> Callable[[Request], Any]:
    async def answer(_: Request) -> Response:
        return text(body)

    return answer


def _page(routes: Routes) -> str:
    lines = [f"{' '.join(methods):9} {path}" for path, methods in sorted(routes.paths.items())]
    return "\n".join([f"roost extend {__version__}", "", *lines, ""])
