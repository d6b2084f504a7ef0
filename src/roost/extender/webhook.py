"""The verbs of an extender: a request's body in, a response out, whatever the body.

    body ─► question ─► policies ─► reply             a body that makes no sense, a policy that fails:
              │ Unanswerable, InvalidObject              a sentence where the verb has a field for it, else 400
              ▼
            sentence

All deciding is sync, in the event loop: two requests are never in a policy at the same time. What is kept between
requests is the watch cache (`live`), reservations, and what learning policies have learnt.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import compress
from typing import TypeVar

import numpy as np

from roost.api.extender import ExtenderBindingArgs, ExtenderPreemptionArgs, read_message
from roost.errors import InvalidObject, PluginError, RoostError
from roost.extender import preemption
from roost.extender.body_view import BodyView
from roost.extender.http_messages import Bytes, Request, Response, refusal
from roost.extender.lessons import Lessons
from roost.extender.live import Live
from roost.extender.metrics import Metrics, unmonitored
from roost.extender.policies import Policies
from roost.extender.questions import NOT_IN_SYNC, Question, question
from roost.extender.reports import Report, Reporter
from roost.extender.wire import (
    Asked,
    Unanswerable,
    binding_reply,
    filter_error,
    names_reply,
    nodes_reply,
    preemption_reply,
    read_question,
    scores_reply,
)
from roost.framework.measure import STALE_SECONDS
from roost.framework.plugin import Context
from roost.framework.status import Code, Status, unschedulable
from roost.framework.view import Bool

T = TypeVar("T")

_NOT_KNOWN = unschedulable("node is not known (yet) to the extender")
_FAULT = "this request could not be answered, which is a fault of Roost; its log says more"

logger = logging.getLogger("roost.extender")

Verb = Callable[[Policies, Bytes, Report], Awaitable[Response]]


class Webhook:
    """Answers filter, prioritize, preempt and bind for some policies.

    `live` is the cluster, if there is one; `reserves` says that pods count where our answers point. With `is_original`,
    errors and lists are as in the replaced programs. `refusal` is what bind says then, and without a cluster.
    """

    def __init__(
        self,
        *,
        live: Live | None = None,
        reserves: bool = False,
        is_original: bool = False,
        refusal: str = "",
        seed: int = 0,
        stale_after: float = STALE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.live = live
        self.metrics = Metrics()
        self._reporter = Reporter()
        self._lessons = Lessons()
        self._reserves = reserves
        self._is_original = is_original
        self._refusal = refusal
        self._seed = seed
        self._stale_after = stale_after
        self._clock = clock
        self._wall = wall
        self._calls = 0

    @property
    def is_ready(self) -> bool:
        """Whether every request can be answered."""
        return self.live is None or self.live.in_sync

    def tick(self) -> None:
        """Do what time brings: measurements age, reservations end, what could not be read is told."""
        if self.live is not None:
            self.live.cache.view.age(self._stale_before())
            self.live.reserved.expire(self._clock())
            self._reporter.unreadable(self.live.cache.view.unreadable)

    # ---- the verbs

    async def filter(self, policies: Policies, request: Request) -> Response:
        """Answer which nodes fit."""
        return await self._answer("filter", self._filter, policies, request)

    async def prioritize(self, policies: Policies, request: Request) -> Response:
        """Answer the scores of the nodes."""
        return await self._answer("prioritize", self._prioritize, policies, request)

    async def preempt(self, policies: Policies, request: Request) -> Response:
        """Answer on which of the candidate nodes pods may be evicted."""
        return await self._answer("preempt", self._preempt, policies, request)

    async def bind(self, policies: Policies, request: Request) -> Response:
        """Bind a pod, or say why not."""
        return await self._answer("bind", self._bind, policies, request)

    async def _filter(self, policies: Policies, body: Bytes, report: Report) -> Response:
        asked, found = self._read(policies, body, report, usage=policies.usage_at_filter)
        rejected = {} if found is None else self._rejected(found)
        names = () if found is None else found.names
        fits = np.ones(len(names), dtype=np.bool_)
        fits[list(rejected)] = False
        if found is not None and len(rejected) == len(fits) - 1:
            self._reserve(found, int(fits.argmax()))
        report.filtered(len(fits), list(rejected.values()))
        failed, unresolvable = self._reasons(names, rejected)
        if asked.nodes is None:
            return names_reply(_those(names, fits), failed, unresolvable)
        return nodes_reply(_those(asked.nodes, fits), failed, unresolvable)

    async def _prioritize(self, policies: Policies, body: Bytes, report: Report) -> Response:
        _, found = self._read(policies, body, report, usage=policies.usage_at_score)
        if found is None:
            report.outcome = "no nodes"
            return scores_reply((), ())
        scores = found.policies.prioritize(found.pod, found.view, self._context(), found.rows)
        self._lessons.take(found.policies.learners, found.pod, found.view, scores.parts)
        self._look_back(found)
        totals = np.zeros(len(found.names), dtype=np.int64)
        totals[found.positions] = scores.totals
        self._reserve(found, int(totals.argmax()))
        report.prioritized(found.names, totals, scores)
        if not policies.best_first:
            return scores_reply(found.names, totals.tolist())
        ordered = sorted(zip(totals.tolist(), found.names, strict=True), reverse=True)
        return scores_reply([name for _, name in ordered], [score for score, _ in ordered])

    async def _preempt(self, policies: Policies, body: Bytes, report: Report) -> Response:
        args = read_message(body, ExtenderPreemptionArgs)
        report.pod = "" if args.pod is None else args.pod.key
        found = kept = preemption.candidates(args)
        if self.live is not None:
            if not self.live.in_sync:
                raise Unanswerable(NOT_IN_SYNC, 503)
            kept = preemption.accepted(found, args, policies, self.live.cache, self._context())
        report.outcome = f"{len(kept)} of {len(found)} candidate nodes"
        report.fields = {"nodes": len(found), "fitting": len(kept)}
        return preemption_reply(preemption.result(kept))

    async def _bind(self, policies: Policies, body: Bytes, report: Report) -> Response:
        args = read_message(body, ExtenderBindingArgs)
        report.pod = f"{args.pod_namespace}/{args.pod_name}"
        if self.live is None or self._is_original:
            raise Unanswerable(self._refusal)
        if policies.usage_at_filter and not self.live.in_sync:
            raise Unanswerable(NOT_IN_SYNC, 503)
        await self.live.binder.bind(args, policies, self._context())
        report.outcome = f"bound to {args.node}"
        report.fields = {"node": args.node}
        return binding_reply()

    # ---- their parts

    def _read(self, policies: Policies, body: Bytes, report: Report, *, usage: str) -> tuple[Asked, Question | None]:
        """Return what is asked, the pod itself counted nowhere; no question if it is about no node."""
        asked = read_question(body)
        report.pod = "" if asked.pod is None else asked.pod.key
        found = question(asked, policies, self.live, usage=usage, stale_before=self._stale_before())
        if self.live is not None and found is not None and found.live_pod is not None:
            self.live.reserved.expire(self._clock())
            self.live.reserved.release(found.live_pod.uid)
            self.live.binder.remember(found.live_pod)
        return asked, found

    def _rejected(self, asked: Question) -> dict[int, Status]:
        """Return why nodes do not fit, by their position among those asked about."""
        rejected: dict[int, Status] = {}
        if len(asked.positions) < len(asked.names):
            unknown = set(range(len(asked.names))).difference(asked.positions.tolist())
            rejected = dict.fromkeys(unknown, _NOT_KNOWN)
        for row, status in asked.policies.filter(asked.pod, asked.view, self._context(), asked.rows):
            rejected[int(asked.positions[row])] = status
        self._look_back(asked)
        return rejected

    def _reasons(self, names: Sequence[str], rejected: Mapping[int, Status]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the reasons by node name: all, and those that removing pods could not lift, which win where known."""
        failed: dict[str, str] = {}
        unresolvable: dict[str, str] = {}
        for position, status in sorted(rejected.items()):
            name = names[position]
            failed[name] = status.message or f"node(s) rejected by {status.plugin}"
            if status.code is Code.UnschedulableAndUnresolvable and not self._is_original:
                unresolvable[name] = failed[name]
        return failed, unresolvable

    def _look_back(self, asked: Question) -> None:
        """Take notice of what policies read in the annotations of nodes that came in full."""
        view: object = asked.view
        if isinstance(view, BodyView):
            self.metrics.unmonitored.update(unmonitored(view))
            self._reporter.unreadable(view.unreadable)

    def _reserve(self, asked: Question, position: int) -> None:
        """Count the pod on the node that our answer points at."""
        if self._reserves and self.live is not None and asked.live_pod is not None:
            self.live.reserved.reserve(asked.live_pod, asked.names[position], self._clock())

    def _context(self) -> Context:
        self._calls += 1
        return Context(now=self._wall(), seed=self._seed, cycle=self._calls, learnt=self._lessons.learnt)

    def _stale_before(self) -> float:
        return self._wall() - self._stale_after

    # ---- whatever comes of it

    async def _answer(self, verb: str, ask: Verb, policies: Policies, request: Request) -> Response:
        began, size, report = self._clock(), len(request.body), Report()
        body, request.body = request.body, b""
        key = (verb, policies.label)
        try:
            response = await ask(policies, body, report)
            self._reporter.answered(*key, report, self._clock() - began)
        except RoostError as error:
            response = self._refused(key, report, error)
        except Exception:
            logger.exception("%s by %s failed: this is a fault of Roost, please report it", *key)
            response = self._refused(key, report, Unanswerable(_FAULT, 500))
        seconds = self._clock() - began
        self.metrics.answered(
            key, response.status, seconds=seconds, request_bytes=size, response_bytes=sum(map(len, response.body))
        )
        return response

    def _refused(self, key: tuple[str, str], report: Report, error: RoostError) -> Response:
        """Return the sentence where the verb has a field for it, else a status of its own."""
        verb, _ = key
        sentence, status = _told(error)
        self.metrics.failed(key)
        self._reporter.refused(*key, report, sentence)
        if verb == "filter":
            return filter_error(sentence)
        if verb == "bind":
            return binding_reply(sentence)
        if verb == "prioritize" and self._is_original and status == 400:
            return scores_reply((), ())
        return refusal(status, sentence)


def _told(error: RoostError) -> tuple[str, int]:
    """Return an error as a sentence and a status; where a node cannot be read, the policy is not to blame."""
    if isinstance(error, PluginError) and isinstance(error.__cause__, InvalidObject):
        return str(error.__cause__), 400
    if isinstance(error, Unanswerable):
        return str(error), error.status
    return str(error), 400 if isinstance(error, InvalidObject) else 500


def _those(items: Sequence[T], fits: Bool) -> Sequence[T]:
    return items if fits.all() else list(compress(items, fits.tolist()))
