# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven by WebDriver (W3C), which is JSON over HTTP."""
import base64
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import time

PATIENCE_S = 30


class Browser:
    """One browser with one window; nothing but loopback exists for it."""

    def __init__(self, directory):
        self.log = tempfile.NamedTemporaryFile("w+", dir=directory)
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=self.log, stderr=self.log,
            stdin=subprocess.DEVNULL, start_new_session=True)
        self.session = None
        try:
            self.port = self.find_port()
            self.begin(directory)
        except BaseException:
            self.stop()
            raise

    def find_port(self):
        def look():
            if self.driver.poll() is not None:
                raise AssertionError("chromedriver ended: " + self.text())
            return re.search(r"started successfully on port (\d+)",
                             self.text())
        return int(self.until("chromedriver's port", look).group(1))

    def text(self):
        with open(self.log.name, errors="replace") as log:
            return log.read()

    def begin(self, directory):
        flags = ["--headless", "--disable-gpu", "--disable-dev-shm-usage",
                 "--no-first-run", "--disable-background-networking",
                 "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                 "--window-size=1280,900", f"--user-data-dir={directory}/user"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        got = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": flags},
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = "/session/" + got["sessionId"]

    def ask(self, method, path, body=None):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            client.request(method, path,
                           None if body is None else json.dumps(body),
                           {"Content-Type": "application/json"})
            got = json.loads(client.getresponse().read())["value"]
        finally:
            client.close()
        if isinstance(got, dict) and "error" in got:
            raise AssertionError(f"{path}: {got['error']}: {got['message']}")
        return got

    def open(self, address):
        self.ask("POST", self.session + "/url", {"url": address})

    def run(self, script, *args):
        """What the script returns; a function's body, in the page."""
        return self.ask("POST", self.session + "/execute/sync",
                        {"script": script, "args": list(args)})

    def seen(self, selector):
        """The texts that are to be seen, as they are rendered."""
        return self.run(
            "return Array.from(document.querySelectorAll(arguments[0]))"
            ".filter((e) => e.checkVisibility({visibilityProperty: true}))"
            ".map((e) => e.innerText);", selector)

    def wait(self, selector, wanted):
        """Until these texts, all of them, are what is to be seen."""
        self.until(lambda: f"{selector}: {wanted!r}, not "
                           f"{self.seen(selector)!r}",
                   lambda: self.seen(selector) == wanted)

    @staticmethod
    def until(what, look):
        end = time.monotonic() + PATIENCE_S
        while True:
            got = look()
            if got:
                return got
            if time.monotonic() > end:
                raise AssertionError("waited in vain for " +
                                     (what() if callable(what) else what))
            time.sleep(0.05)

    def console(self):
        """What was said there since it was last asked: errors, warnings."""
        said = self.ask("POST", self.session + "/se/log", {"type": "browser"})
        return [f"{line['source']}: {line['message']}" for line in said
                if line["level"] in ("SEVERE", "WARNING")]

    def size(self, width, height):
        self.ask("POST", self.session + "/goog/cdp/execute", {
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height,
                       "deviceScaleFactor": 1, "mobile": width < 600}})

    def screenshot(self, path):
        with open(path, "wb") as out:
            out.write(base64.b64decode(
                self.ask("GET", self.session + "/screenshot")))

    def stop(self):
        """The browser, then its driver."""
        try:
            if self.session:
                self.ask("DELETE", self.session)
        finally:
            self.driver.send_signal(signal.SIGTERM)
            try:
                self.driver.wait(20)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                self.driver.wait()
            self.log.close()
