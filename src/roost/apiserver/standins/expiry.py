"""Events do not stay for ever: those that nobody has repeated for an hour go, as from a real API server."""

from roost.apiserver.resources import EVENT
from roost.apiserver.standins.standin import Standin
from roost.apiserver.store import Store, Stored
from roost.apiserver.timestamps import rfc3339

KEPT_SECONDS = 3600.0
_LOOK_SECONDS = 60.0


class EventExpiry(Standin):
    """Looks for old events once a minute."""

    def reconcile(self, store: Store, now: float) -> float | None:
        """Delete events that are too old; return when to look again."""
        oldest = rfc3339(now - KEPT_SECONDS)
        for event in store.all(EVENT):
            if _last_heard(event) < oldest:
                store.delete(EVENT, event.name, event.namespace)
        return now + _LOOK_SECONDS


def _last_heard(event: Stored) -> str:
    """Return the latest time in an event; spelled as it is, it sorts as text."""
    series = event.object.get("series") or {}
    times = (event.object.get("lastTimestamp"), series.get("lastObservedTime"), event.metadata["creationTimestamp"])
    return max(str(time) for time in times if time)
