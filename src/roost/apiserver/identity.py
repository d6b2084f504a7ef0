"""Give uids and random-looking suffixes that follow from a seed: the same seed and writes, the same cluster."""

from hashlib import blake2b
from uuid import UUID

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes random names of: nothing that could spell a word."""


class Identity:
    """Counts what it has given away; a server that starts anew takes another seed."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._given = 0

    def uid(self) -> str:
        """Return a uid that was not given before."""
        return str(UUID(bytes=self._next("uid"), version=4))

    def suffix(self) -> str:
        """Return five letters for a name."""
        return safe_letters(self._next("suffix"), 5)

    def _next(self, purpose: str) -> bytes:
        self._given += 1
        return blake2b(f"{self._seed}/{purpose}/{self._given}".encode(), digest_size=16).digest()


def safe_letters(data: bytes, count: int) -> str:
    """Return so many letters that follow from bytes."""
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in data[:count])


def hash_letters(data: bytes, count: int = 10) -> str:
    """Return letters that stand for content, such as the hash of a pod template."""
    return safe_letters(blake2b(data, digest_size=16).digest(), count)
