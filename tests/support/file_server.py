"""A local web server of files that may cut connections, ignore ranges or answer with errors."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["serving"]


@contextmanager
def serving(files, *, cuts=(), ranges=True, status=200):
    """Serve files, as bytes by name; give the address, and the list of ranges that were asked for.

    ``cuts`` has the bytes after which each of the first answers ends; ``status`` is the answer
    instead of 200.
    """
    asked, left = [], list(cuts)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers.get("Range", ""))
            name = self.path.lstrip("/")
            if status != 200 or name not in files:
                self.send_error(status if status != 200 else 404)
                return
            data, start = files[name], 0
            if ranges and asked[-1]:
                start = int(asked[-1].removeprefix("bytes=").rstrip("-"))
                if start >= len(data):
                    self.send_error(416)
                    return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start : start + left.pop(0)] if left else data[start:])
            self.close_connection = True

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
