# SPDX-License-Identifier: Apache-2.0
"""A file system of its own for one server, on a loop device, so that its disk
can stall, be full or lose power. Needs root, loop devices and mkfs.ext4.

Power is lost by ext4's own shutdown: from that instant nothing reaches the
device any more, what was written and not synced is gone, and the next mount
recovers from the journal, as after a real cut. A freeze blocks every write and
sync until the thaw.
"""
import contextlib
import fcntl
import os
import pathlib
import shutil
import struct

from frame import sh

SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN
NO_LOG_FLUSH = 2
FREEZE, THAW = 0xC0045877, 0xC0045878  # FIFREEZE, FITHAW


def why_not():
    """Why there can be no such file system here; None: there can."""
    if os.geteuid() != 0:
        return "needs root (loop devices, mount)"
    for tool in ("mkfs.ext4", "mount", "umount", "losetup"):
        if not shutil.which(tool):
            return f"needs {tool}"
    try:
        sh("losetup", "--find")
    except AssertionError as fault:
        return f"needs loop devices ({fault})"
    return None


class Disk:
    def __init__(self, image, folder, mib):
        self.image, self.folder = pathlib.Path(image), pathlib.Path(folder)
        self.frozen = False
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(mib * 1024 * 1024)
        # Nothing is kept for root, who runs the server here.
        sh("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        self.mount()

    def mount(self):
        sh("mount", "-o", "loop", self.image, self.folder)

    def unmount(self):
        self.thaw()
        if os.path.ismount(self.folder):
            sh("umount", self.folder)

    def ioctl(self, request, argument=b"\0\0\0\0"):
        fd = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, request, argument)
        finally:
            os.close(fd)

    def lose_power(self):
        """Of the disk alone; who uses it is to be killed, then remount()."""
        self.ioctl(SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))

    def remount(self):
        self.unmount()
        self.mount()

    def freeze(self):
        self.ioctl(FREEZE)
        self.frozen = True

    def thaw(self):
        if self.frozen:
            self.ioctl(THAW)
            self.frozen = False

    @property
    def ballast(self):
        return self.folder / "ballast"

    def fill(self):
        """Not a byte is left."""
        with open(self.ballast, "wb") as file:
            for step in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(),
                                           os.fstat(file.fileno()).st_size,
                                           step)

    def empty(self):
        self.ballast.unlink(missing_ok=True)
