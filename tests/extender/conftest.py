"""The HTTP server has to work on both event loops; what stands on it is tested on one."""

import asyncio

import uvloop

ON_BOTH_LOOPS = {"test_http_server.py", "test_server_tls.py"}


def pytest_asyncio_loop_factories(config, item):
    loops = {"asyncio": asyncio.new_event_loop}
    if item.path.name in ON_BOTH_LOOPS:
        loops["uvloop"] = uvloop.new_event_loop
    return loops
