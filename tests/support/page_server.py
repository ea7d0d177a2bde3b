# SPDX-License-Identifier: Apache-2.0
"""Serves docs/storefront to browsers on this machine, on a free port."""
import functools
import http.server
import pathlib
import threading
import urllib.parse

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "docs" / "storefront"


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass

    def end_headers(self):
        # Whoever edits the page sees it at the next reload.
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


class PageServer:
    """Begins at once, in a thread of its own; ended by stop()."""

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=FOLDER))
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       daemon=True)
        self.thread.start()

    def address(self, shop, api):
        return f"{self.origin}/?" + urllib.parse.urlencode(
            {"shop": shop, "api": api}, safe=":/")

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
