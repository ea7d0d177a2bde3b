# SPDX-License-Identifier: Apache-2.0
"""What an observer waits with until it is told to end."""
import signal
import time


class Until:
    """A signal. threading.Event is no good for that: its set(), in a handler
    that interrupts its own wait(), waits for the lock that this one holds."""

    def __init__(self, number):
        self.came = False
        signal.signal(number, self.on_signal)

    def on_signal(self, *_):
        self.came = True

    def wait(self, seconds):
        """Sleeps; whether it came."""
        time.sleep(seconds)
        return self.came
