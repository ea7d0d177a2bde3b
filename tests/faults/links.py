# SPDX-License-Identifier: Apache-2.0
"""TCP links that can be made bad while they are in use.

A Link listens on a port and passes bytes on to a server's port. Whoever connects
has a name (found by the process that owns the socket), and each name can have
rules of its own, so that a server can be cut off from its peers and still be
there for its clients:

    held up, held down   bytes of that direction stay where they are (a half-open
                         connection; TCP keeps them, as it would)
    delay_s              each piece comes that much later
    drip                 bytes per second
    refused              what is there is reset, what is new is not let in

One thread carries all links; every method may be called from any thread.
"""
import asyncio
import os
import random
import re
import socket
import struct
import threading

PIECE = 64 * 1024
# A peer that nobody has named.
ANYBODY = "client"


class Rules:
    """How bytes of one name travel. Healthy as made."""

    def __init__(self, up=True, down=True, delay_s=0.0, drip=0, refused=False):
        self.flows = {"up": up, "down": down}
        self.delay_s, self.drip, self.refused = delay_s, drip, refused


HEALTHY = Rules()


def socket_inode(near, far):
    """The inode of the connection `near` → `far` (ports of loopback)."""
    want = (f"0100007F:{near:04X}", f"0100007F:{far:04X}")
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table:
            words = line.split()
            if (words[1], words[2]) == want:
                return words[9]
    return None


def owns(pid, inode):
    try:
        for fd in os.scandir(f"/proc/{pid}/fd"):
            if os.readlink(fd.path) == f"socket:[{inode}]":
                return True
    except OSError:
        pass  # it has ended
    return False


class Carrier:
    """The thread and its event loop."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever,
                                       name="links", daemon=True)
        self.thread.start()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine,
                                                self.loop).result(30)


class Link:
    def __init__(self, carrier, port, target, names=lambda: {}):
        """names() gives {name: pid} of those that may connect."""
        self.carrier, self.port, self.target = carrier, port, target
        self.names = names
        self.rules = {}
        self.open = {}  # writer → (name, its twin)
        self.changed = None
        self.server = None
        self.passed = 0  # bytes

    def start(self):
        self.carrier.call(self._start())
        return self

    async def _start(self):
        self.changed = asyncio.Condition()
        self.server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, limit=PIECE)

    def set(self, rules, *names):
        """Rules for these names (none: for everybody, named or not)."""
        self.carrier.call(self._set(rules, names))

    async def _set(self, rules, names):
        if names:
            self.rules.update(dict.fromkeys(names, rules))
        else:
            self.rules = {None: rules}
        for writer, (name, _) in list(self.open.items()):
            if self._rules(name).refused:
                reset(writer)
        async with self.changed:
            self.changed.notify_all()

    def heal(self):
        self.set(HEALTHY)

    def cut(self, *names):
        """Resets what is open now; new connections are let in."""
        self.carrier.call(self._cut(names))

    async def _cut(self, names):
        for writer, (name, _) in list(self.open.items()):
            if not names or name in names:
                reset(writer)

    def heal_by_cut(self, *names):
        """What was held back is lost for good, then all is healthy."""
        self.carrier.call(self._heal_by_cut(names))

    async def _heal_by_cut(self, names):
        await self._cut(names)
        await self._set(HEALTHY, ())

    def _rules(self, name):
        return self.rules.get(name) or self.rules.get(None) or HEALTHY

    def _name(self, near):
        inode = socket_inode(near, self.port)
        for name, pid in self.names().items():
            if inode and pid and owns(pid, inode):
                return name
        return ANYBODY

    async def _accept(self, reader, writer):
        name = self._name(writer.get_extra_info("peername")[1])
        if self._rules(name).refused:
            reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(
                "127.0.0.1", self.target, limit=PIECE)
        except OSError:
            reset(writer)
            return
        self.open[writer] = (name, far_writer)
        self.open[far_writer] = (name, writer)
        await asyncio.gather(
            self._pump(reader, far_writer, name, "up"),
            self._pump(far_reader, writer, name, "down"))
        for end in (writer, far_writer):
            self.open.pop(end, None)
            end.close()

    async def _gate(self, name, way, size):
        """Waits until this piece may pass."""
        async with self.changed:
            await self.changed.wait_for(lambda: self._rules(name).flows[way])
        rules = self._rules(name)
        pause = rules.delay_s + (size / rules.drip if rules.drip else 0)
        if pause:
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))

    async def _pump(self, reader, writer, name, way):
        try:
            while True:
                drip = self._rules(name).drip
                piece = await reader.read(max(1, drip // 10) if drip
                                          else PIECE)
                if not piece:
                    break
                await self._gate(name, way, len(piece))
                self.passed += len(piece)
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
        except OSError:
            pass
        twin = self.open.get(writer)
        # An end that was reset is no half-close: the other goes too.
        if twin and (writer.is_closing() or twin[1].is_closing()):
            reset(writer)
            reset(twin[1])

    def stop(self):
        self.carrier.call(self._stop())

    async def _stop(self):
        self.server.close()
        for writer in list(self.open):
            reset(writer)


def reset(writer):
    """RST instead of FIN, so that nobody waits for a rest."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        except OSError:
            pass
    writer.transport.abort()


def answers(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_ports(n):
    """Below what the kernel hands out, so that they stay free over a restart."""
    found = set()
    while len(found) < n:
        port = random.SystemRandom().randrange(10000, 32000)
        if not answers(port):
            found.add(port)
    return sorted(found)


def listening_on(line):
    """The port at the end of HOST:PORT."""
    return int(re.search(r":(\d+)$", line).group(1))
