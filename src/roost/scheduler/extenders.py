"""Asks extenders while a pod is being decided, and has one of them bind, if there is one for that.

    framework.asking yields a question ─► the pod in full, nodes by name or in full ─► POST ─► its answer as a value

Read for the extender, and only then: the pod in full for each attempt, and the nodes in full by a watch of their own.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from roost.api.extender import (
    ExtenderBindingArgs,
    ExtenderBindingResult,
    ExtenderFilterResult,
    ExtenderPreemptionResult,
    ExtenderRequest,
    HostPriority,
    MetaPod,
    MetaVictims,
    NodeList,
    PreemptionRequest,
    VictimsInFull,
    read_message,
)
from roost.api.full import POD_IN_FULL, FullObject
from roost.api.pod import Pod
from roost.errors import ExtenderError, InvalidObject, NotFound
from roost.framework.asking import Answer, Asking, FilterQuestion, PreemptQuestion, Question, decide_asking
from roost.framework.cluster import Cluster
from roost.framework.cycle import Cycle
from roost.framework.decision import Decision
from roost.framework.extenders import Extender, HostScores, NoAnswer, Webhook, host_scores, kept_nodes
from roost.framework.memory import LiveView
from roost.framework.plan import Candidates, Victims
from roost.framework.plugin import Context
from roost.framework.pod_info import PodInfo
from roost.framework.status import SKIP, Status
from roost.scheduler.full_nodes import FullNodes
from roost.scheduler.metrics import Metrics
from roost.scheduler.outcomes import Lost

READS_AT_ONCE = 16
"""How many pods are read at a time for an extender that is sent victims in full."""

M = TypeVar("M")

logger = logging.getLogger("roost.scheduler")


class _Whereabouts(Struct, rename="camel"):
    node_name: str = ""


class Extenders:
    """The extenders of a scheduler; those that are ignorable are asked last, as in kube-scheduler."""

    def __init__(
        self,
        cluster: Cluster,
        webhooks: Sequence[Webhook],
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        notify: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._clock = clock
        ordered = sorted(webhooks, key=lambda webhook: webhook.extender.ignorable)
        self._webhooks = {webhook.extender: webhook for webhook in ordered}
        self._deciding = [extender for extender in self._webhooks if extender.takes_part]
        in_full = any(not one.node_cache_capable and one.is_sent_nodes for one in self._deciding)
        self.nodes = FullNodes(cluster, notify) if in_full else None

    @property
    def in_sync(self) -> bool:
        """Whether everything that extenders may be sent has been seen."""
        return self.nodes is None or self.nodes.have_nodes

    @property
    def binder(self) -> "ExtenderBinder | None":
        """The bind plugin that asks an extender, if one binds."""
        return next((ExtenderBinder(self, extender) for extender in self._webhooks if extender.bind_verb), None)

    def are_asked_about(self, pod: Pod) -> bool:
        """Tell whether some extender takes part in deciding a pod."""
        return any(extender.is_interested(pod) for extender in self._deciding)

    async def decide(self, cycle: Cycle, pod: PodInfo, view: LiveView, ctx: Context) -> Decision:
        """Decide for one pod, asking whom it concerns; raises ApiError, InvalidObject and Lost."""
        asking = decide_asking(cycle, pod, view, ctx, self._deciding)
        step, in_full = _step(asking, None), None
        while not isinstance(step, Decision):
            if in_full is None:
                in_full = await self._read(pod)
            step = _step(asking, await self._answer(step, in_full))
        return step

    async def send(self, extender: Extender, verb: str, phase: str, body: bytes, kind: type[M]) -> M:
        """Return what an extender answers; raises ExtenderError."""
        began, result = self._clock(), "error"
        try:
            answer = read_message(await self._webhooks[extender].post(verb, body, again=phase != "bind"), kind)
            result = "error" if getattr(answer, "error", "") else "success"
            return answer
        except InvalidObject as error:
            raise ExtenderError(f"{extender.name(verb)}: the answer cannot be read: {error}") from error
        finally:
            self._metrics.extender(extender.url, phase, result, self._clock() - began)

    async def _read(self, pod: PodInfo) -> FullObject:
        """Return a pod as it is now."""
        try:
            found = await self._cluster.get(POD_IN_FULL, pod.pod.name, pod.pod.namespace)
        except NotFound:
            raise Lost("it is gone") from None
        if found.metadata.uid != pod.uid:
            raise Lost("another pod has taken its name")
        if found.metadata.deletion_timestamp is not None:
            raise Lost("it is being deleted")
        node_name = msgspec.json.decode(found.spec, type=_Whereabouts).node_name
        if node_name:
            raise Lost(f"it has been bound to {node_name} by somebody else")
        return found

    async def _answer(self, question: Question, pod: FullObject) -> Answer:
        if isinstance(question, FilterQuestion):
            return await self._filter(question, await self._request(question.extender, pod, question.names))
        if isinstance(question, PreemptQuestion):
            return await self._preempt(question, pod)
        bodies: dict[bool, bytes] = {}
        for extender in question.extenders:
            if extender.node_cache_capable not in bodies:
                bodies[extender.node_cache_capable] = await self._request(extender, pod, question.names)
        scoring = [self._score(extender, bodies[extender.node_cache_capable]) for extender in question.extenders]
        return await asyncio.gather(*scoring)

    async def _request(self, extender: Extender, pod: FullObject, names: Sequence[str]) -> bytes:
        if extender.node_cache_capable or self.nodes is None:
            return msgspec.json.encode(ExtenderRequest(pod=pod, node_names=names))
        nodes = NodeList(items=await self.nodes.named(names))
        return msgspec.json.encode(ExtenderRequest(pod=pod, nodes=nodes))

    async def _filter(self, question: FilterQuestion, body: bytes) -> Answer:
        extender, verb = question.extender, question.extender.filter_verb
        try:
            result = await self.send(extender, verb, "filter", body, ExtenderFilterResult)
            answer = kept_nodes(extender, result, frozenset(question.names))
        except ExtenderError as error:
            answer = NoAnswer(str(error))
        if isinstance(answer, NoAnswer) and extender.ignorable:
            logger.warning("%s; it is ignorable and skipped", answer.problem)
        return answer

    async def _preempt(self, question: PreemptQuestion, pod: FullObject) -> Answer:
        extender, verb = question.extender, question.extender.preempt_verb
        if extender.node_cache_capable:
            by_uid = {name: _by_uid(victims) for name, victims in question.candidates.items()}
            request = PreemptionRequest(pod=pod, node_name_to_meta_victims=by_uid)
        else:
            request = PreemptionRequest(pod=pod, node_name_to_victims=await self._in_full(question.candidates))
        try:
            result = await self.send(extender, verb, "preempt", msgspec.json.encode(request), ExtenderPreemptionResult)
        except ExtenderError as error:
            if extender.ignorable:
                logger.warning("%s; it is ignorable and skipped", error)
            return NoAnswer(str(error))
        return result.node_name_to_meta_victims or {}

    async def _in_full(self, candidates: Candidates) -> dict[str, VictimsInFull]:
        """Return candidates with their victims as the API server has them, without those of which one is gone."""
        reading = asyncio.Semaphore(READS_AT_ONCE)
        found = await asyncio.gather(*(self._victims_in_full(victims, reading) for victims in candidates.values()))
        return {
            name: VictimsInFull(pods=pods, num_pdb_violations=victims.violations)
            for (name, victims), pods in zip(candidates.items(), found, strict=True)
            if pods
        }

    async def _victims_in_full(self, victims: Victims, reading: asyncio.Semaphore) -> list[FullObject]:
        pods = []
        for victim in victims.pods:
            try:
                async with reading:
                    pods.append(await self._cluster.get(POD_IN_FULL, victim.pod.name, victim.pod.namespace))
            except NotFound:
                return []
        return pods

    async def _score(self, extender: Extender, body: bytes) -> HostScores | NoAnswer:
        try:
            result = await self.send(extender, extender.prioritize_verb, "prioritize", body, list[HostPriority])
        except ExtenderError as error:
            logger.warning("%s; its scores do not count", error)
            return NoAnswer(str(error))
        return host_scores(result)


class ExtenderBinder:
    """A bind plugin that asks an extender to bind the pods it is interested in, and passes on the others."""

    def __init__(self, extenders: Extenders, extender: Extender) -> None:
        self.name = extender.name(extender.bind_verb)
        self._extenders = extenders
        self._extender = extender

    async def bind(self, cluster: Cluster, pod: PodInfo, node_name: str) -> Status | None:
        """Have the extender bind a pod; raises ExtenderError, after which nobody knows whether it is bound."""
        if not self._extender.is_interested(pod.pod):
            return SKIP
        try:
            await self._ask(pod, node_name)
        except ExtenderError as error:
            if not self._extender.ignorable:
                raise
            logger.warning("%s; it is ignorable and skipped", error)
            return SKIP
        return None

    async def _ask(self, pod: PodInfo, node_name: str) -> None:
        args = ExtenderBindingArgs(
            pod_name=pod.pod.name, pod_namespace=pod.pod.namespace, pod_uid=pod.uid, node=node_name
        )
        body, verb = msgspec.json.encode(args), self._extender.bind_verb
        result = await self._extenders.send(self._extender, verb, "bind", body, ExtenderBindingResult)
        if result.error:
            raise ExtenderError(f"{self.name}: {result.error}")


def _by_uid(victims: Victims) -> MetaVictims:
    return MetaVictims(pods=[MetaPod(uid=pod.uid) for pod in victims.pods], num_pdb_violations=victims.violations)


def _step(asking: Asking, answer: Any) -> Question | Decision:
    try:
        return asking.send(answer)
    except StopIteration as end:
        decision: Decision = end.value
        return decision
