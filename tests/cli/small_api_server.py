"""As much of an API server as `roost run` needs to start, bind a pod and end: on a thread, with canned answers."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NODE = {
    "metadata": {"name": "node-1", "resourceVersion": "1"},
    "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}},
}


def pending(name: str, cpu: str = "100m") -> dict[str, Any]:
    """A pod that waits for Roost."""
    container = {"name": "app", "image": "app", "resources": {"requests": {"cpu": cpu}}}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"},
        "spec": {"schedulerName": "roost", "containers": [container]},
        "status": {"phase": "Pending"},
    }


class SmallApiServer:
    """Answers lists with what it was given, keeps watches open, and says yes to every write."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.lists = {"/api/v1/nodes": [NODE], "/api/v1/pods": list(pods)}
        self.bound: dict[str, str] = {}
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "SmallApiServer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> dict[str, Any]:
        """Return the answer to a GET."""
        if path == "/version":
            return {"gitVersion": "v1.36.2"}
        return {"metadata": {"resourceVersion": "1"}, "items": self.lists.get(path, [])}


def _handler(api: SmallApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if "watch=" in query:
                self._keep_open()
            else:
                self._reply(200, api.answer(path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("/binding"):
                api.bound[body["metadata"]["name"]] = body["target"]["name"]
            self._reply(201, body)

        do_PATCH = do_POST  # noqa: N815 - the name that http.server looks for

        def _keep_open(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            api.closing.wait()
            self.close_connection = True

        def _reply(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
