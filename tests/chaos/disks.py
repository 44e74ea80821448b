"""Small disks for the broker, the store and the log, so that they can be full; where this user may mount none, none."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

from services.cli.local.home import Home

LEAST_MIB = 512
KIB_A_REFERRAL = 230
"""On the fullest disk, the store's, of which every other byte is of what was overwritten: 140 were measured. A disk is
to hold more than a run writes; what is full is filled by us."""
CHUNK = 1 << 20
FILLER = "filler"
PROBE = "probe"


class Disks:
    """One tmpfs each under the stack's home, mounted while the world stands."""

    def __init__(self, home: Home, referrals: int = 0) -> None:
        """`referrals`: how many the run raises."""
        self._mib = LEAST_MIB + referrals * KIB_A_REFERRAL // 1024
        self._folders = {"kafka": home.data / "kafka-disk", "mongo": home.data / "mongo", "audit": home.audit / "log"}
        self._mounted: list[Path] = []

    def mount(self) -> bool:
        """Mount all; False where that is not allowed, with none mounted."""
        for folder in self._folders.values():
            folder.mkdir(parents=True, exist_ok=True)
            command = ["mount", "-t", "tmpfs", "-o", f"size={self._mib}m,mode=0700", "tmpfs", str(folder)]
            if subprocess.run(command, capture_output=True, check=False).returncode:
                self.unmount()
                return False
            self._mounted.append(folder)
        return True

    def folder(self, name: str) -> Path:
        """Where the disk of this name is."""
        return self._folders[name]

    def fill(self, name: str) -> None:
        """Leave not a byte."""
        with (self._folders[name] / FILLER).open("ab") as filler:
            size = CHUNK
            while size:
                try:
                    os.posix_fallocate(filler.fileno(), filler.seek(0, os.SEEK_END), size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2

    def refuses(self, name: str) -> bool:
        """Whether it does not take one byte."""
        probe = self._folders[name] / PROBE
        try:
            with probe.open("wb") as file:
                file.write(b"?")
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return True
        finally:
            probe.unlink(missing_ok=True)
        return False

    def empty(self, name: str) -> None:
        """Give the space back."""
        (self._folders[name] / FILLER).unlink(missing_ok=True)

    def unmount(self) -> None:
        """After the stack is stopped."""
        while self._mounted:
            subprocess.run(["umount", "-l", str(self._mounted.pop())], capture_output=True, check=False)
