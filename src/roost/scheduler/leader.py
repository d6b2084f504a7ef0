"""One of several replicas schedules: the holder of a Lease, by the rules of client-go's leader election.

    (somebody else holds it, or nobody) ─► ours: renewed every 2 s ─► not renewed for 10 s: lost, the process ends
            ▲ not renewed for 15 s by our own clock ─┘          └─► given back at an orderly end

Clocks of different machines are never compared: what counts is for how long we have seen a record unchanged.
"""

import asyncio
import logging
import random
import socket
import time
import uuid
from collections.abc import Awaitable, Callable
from time import gmtime, strftime

import msgspec

from roost.api.kinds import LEASE, Lease
from roost.errors import ApiError, NotFound, RoostError
from roost.framework.cluster import Cluster

LEASE_SECONDS = 15.0
RENEW_DEADLINE = 10.0
RETRY_SECONDS = 2.0
JITTER = 1.2

Spec = dict[str, object]

logger = logging.getLogger("roost.scheduler")


class LeaseLost(RoostError):
    """The lease could not be renewed in time: somebody else may be scheduling now."""


def new_identity() -> str:
    """Return a name for this process that no other has."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class LeaderElector:
    """Holds a Lease, or waits for it; `leading` is set while it is held."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        name: str,
        namespace: str,
        identity: str = "",
        lease_seconds: float = LEASE_SECONDS,
        renew_deadline: float = RENEW_DEADLINE,
        retry_seconds: float = RETRY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.identity = identity or new_identity()
        self.name = name
        self.leading = asyncio.Event()
        self._cluster = cluster
        self._namespace = namespace
        self._lease_seconds = lease_seconds
        self._renew_deadline = renew_deadline
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._wall = wall
        self._dice = dice
        self._lease: Lease | None = None
        self._seen: Spec = {}
        self._seen_at = 0.0
        self._trouble = ""

    @property
    def leader(self) -> str:
        """The holder seen last."""
        return str(self._seen.get("holderIdentity") or "")

    async def hold(self) -> None:
        """Get the lease, however long it takes, and renew it until cancelled; raises LeaseLost."""
        await self._acquire()
        self.leading.set()
        try:
            await self._renew()
        finally:
            self.leading.clear()

    async def release(self) -> None:
        """Give the lease back so that another replica need not wait; errors are left to time."""
        if self.leader != self.identity:
            return
        try:
            async with asyncio.timeout(self._renew_deadline):
                self._take_notice(await self._cluster.get(LEASE, self.name, self._namespace))
                if self.leader == self.identity:
                    await self._update(self._record(holder="", seconds=1, acquired=self._now()))
        except (ApiError, TimeoutError) as error:
            logger.warning("lease %s not given back: %s", self._key, error)

    async def _acquire(self) -> None:
        logger.info("waiting for the lease %s as %s", self._key, self.identity)
        await self._until_held(lambda: self._retry_seconds * (1 + JITTER * self._dice()))
        logger.info("got the lease %s", self._key)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._retry_seconds)
            try:
                async with asyncio.timeout(self._renew_deadline):
                    await self._until_held(lambda: self._retry_seconds)
            except TimeoutError:
                why = f" ({self._trouble})" if self._trouble else ""
                raise LeaseLost(
                    f"lost the lease {self._key}: not renewed for {self._renew_deadline:g} s{why}; "
                    "another replica may be scheduling, so this one ends"
                ) from None

    async def _until_held(self, pause: Callable[[], float]) -> None:
        while True:
            if await self._try():
                return
            await asyncio.sleep(pause())

    async def _try(self) -> bool:
        """Get or renew the lease once; False if that failed or somebody else holds it."""
        leader = self.leader
        try:
            done = await self._try_to_renew() or await self._try_to_take()
            self._trouble = ""
        except ApiError as error:
            self._complain(str(error))
            done = False
        if self.leader not in (leader, self.identity, ""):
            logger.info("%s holds the lease %s", self.leader, self._key)
        return done

    async def _try_to_renew(self) -> bool:
        """Update what we hold without reading it first, as nobody else should have touched it."""
        if self.leader != self.identity or not self._is_valid():
            return False
        try:
            await self._update(self._record_of_ours())
        except ApiError as error:
            self._complain(str(error))
            return False
        return True

    async def _try_to_take(self) -> bool:
        try:
            self._take_notice(await self._cluster.get(LEASE, self.name, self._namespace))
        except NotFound:
            return await self._create()
        if self.leader not in ("", self.identity) and self._is_valid():
            return False
        await self._update(self._record_of_ours() if self.leader == self.identity else self._record(transition=True))
        return True

    async def _create(self) -> bool:
        lease = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {"name": self.name, "namespace": self._namespace},
            "spec": self._record(),
        }
        self._lease = await self._cluster.create(LEASE, msgspec.json.encode(lease), self._namespace)
        self._see(self._lease.spec)
        return True

    async def _update(self, spec: Spec) -> None:
        if self._lease is None:
            raise ValueError("a lease must be read before it is updated")
        lease = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": msgspec.to_builtins(self._lease.metadata),
            "spec": {**self._lease.spec, **spec},
        }
        self._lease = await self._cluster.update(LEASE, self.name, msgspec.json.encode(lease), self._namespace)
        self._see(self._lease.spec)

    # ---- records

    def _take_notice(self, lease: Lease) -> None:
        self._lease = lease
        if lease.spec != self._seen:
            self._see(lease.spec)

    def _see(self, spec: Spec) -> None:
        self._seen = spec
        self._seen_at = self._clock()

    def _is_valid(self) -> bool:
        """Tell whether the holder seen last is still to be respected."""
        seconds = self._seen.get("leaseDurationSeconds")
        return self._seen_at + (seconds if isinstance(seconds, int) else 0) > self._clock()

    def _record(
        self, *, holder: str | None = None, seconds: float = 0, acquired: str = "", transition: bool = False
    ) -> Spec:
        seen = self._seen.get("leaseTransitions")
        transitions = seen if isinstance(seen, int) else 0
        return {
            "holderIdentity": self.identity if holder is None else holder,
            "leaseDurationSeconds": int(seconds or self._lease_seconds),
            "acquireTime": acquired or self._now(),
            "renewTime": self._now(),
            "leaseTransitions": transitions + transition,
        }

    def _record_of_ours(self) -> Spec:
        return self._record(acquired=str(self._seen.get("acquireTime") or ""))

    def _now(self) -> str:
        now = self._wall()
        return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(now))}.{int(now % 1 * 1_000_000):06d}Z"

    @property
    def _key(self) -> str:
        return f"{self._namespace}/{self.name}"

    def _complain(self, sentence: str) -> None:
        if sentence != self._trouble:
            self._trouble = sentence
            logger.warning("lease %s: %s", self._key, sentence)


async def run_as_leader(elector: LeaderElector, work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `work`, which may act while the event that it gets is set, until it ends; then give the lease back.

    Raises LeaseLost, and ends the work at once, if the lease is lost.
    """
    working = asyncio.ensure_future(work(elector.leading))
    holding = asyncio.create_task(elector.hold(), name="lease")
    try:
        await asyncio.wait([working, holding], return_when=asyncio.FIRST_COMPLETED)
        if holding.done():
            holding.result()
        await working
    finally:
        is_lost = holding.done()
        for task in (working, holding):
            task.cancel()
        await asyncio.gather(working, holding, return_exceptions=True)
        if not is_lost:
            await elector.release()
