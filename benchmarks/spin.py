"""How fast this machine is at the moment: the CPU milliseconds of a fixed piece of work, the best of five.

python -m benchmarks.spin
"""

import time


def spin_ms() -> float:
    """Return the CPU milliseconds that a fixed loop takes."""
    best = float("inf")
    for _ in range(5):
        began, total = time.process_time(), 0
        for i in range(200_000):
            total += i * i & 7
        best = min(best, time.process_time() - began)
    return best * 1000


if __name__ == "__main__":
    print(f"{spin_ms():.1f} ms")
