# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of Debian packages for container images: unpacked, not installed, without what no container needs."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.lab.errors import LabError
from tests.lab.oci import Stream
from tests.lab.requirements import ROOT, command
from tests.lab.rootfs import SUITE

TOOLS = (ROOT, command("mmdebstrap", "mmdebstrap", "debian-archive-keyring"))

# Documentation, translations, what a whole Debian system is made with, the compiler that PostgreSQL can do without.
LEFT_OUT = (
    "dev",
    "etc/apt",
    "etc/debconf.conf",
    "etc/default",
    "etc/dpkg",
    "etc/fstab",
    "etc/hostname",
    "etc/init.d",
    "etc/logrotate.d",
    "etc/pam.d",
    "etc/resolv.conf",
    "etc/systemd",
    "etc/ufw",
    "tmp",
    "usr/lib/*/gconv",
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libperl.so*",
    "usr/lib/*/libz3.so*",
    "usr/lib/*/perl*",
    "usr/lib/*/security",
    "usr/lib/postgresql/*/lib/bitcode",
    "usr/lib/postgresql/*/lib/llvmjit*",
    "usr/lib/systemd",
    "usr/share/apport",
    "usr/share/bash-completion",
    "usr/share/debconf",
    "usr/share/doc",
    "usr/share/i18n",
    "usr/share/info",
    "usr/share/initramfs-tools",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/perl*",
    "usr/share/pixmaps",
    "usr/share/postgresql-common",
    "usr/share/postgresql/*/man",
    "usr/share/vim",
    "var",
)
PROGRAMS = re.compile(r"usr/s?bin/(.+)")
LEFT_OUT_PATTERN = re.compile(
    "|".join(f"(?:{fnmatch.translate(pattern)}|{fnmatch.translate(pattern + '/*')})" for pattern in LEFT_OUT)
)


@contextmanager
def package_files(packages: Sequence[str], keep: Sequence[str]) -> Iterator[Stream]:
    """Files of these packages and of all they depend on; of programs in ``bin`` and ``sbin`` only those in ``keep``."""
    command_line = ["nice", "mmdebstrap", "--mode=root", "--variant=extract", "--format=tar", "--quiet"]
    command_line += [f"--include={','.join(packages)}", SUITE, "-"]
    with tempfile.TemporaryFile() as messages:
        # A session of its own: when mmdebstrap fails it ends its whole process group.
        with subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=messages, start_new_session=True) as process:
            assert process.stdout
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                members = (member for member in archive if wanted(member, keep))
                yield ((member, archive.extractfile(member) if member.isreg() else None) for member in members)
            while process.stdout.read(1 << 20):
                pass  # the padding after the end of the archive
        if process.returncode:
            messages.seek(0)
            raise LabError(f"mmdebstrap of {', '.join(packages)} failed:\n{messages.read().decode(errors='replace')}")


def wanted(member: tarfile.TarInfo, keep: Sequence[str]) -> bool:
    member.name = member.name.removeprefix("./")
    if member.name in ("", ".") or LEFT_OUT_PATTERN.match(member.name):
        return False
    program = PROGRAMS.fullmatch(member.name)
    if program and program[1] not in keep:
        return False
    # What would let a process in the container become root is of no use there.
    member.mode &= ~0o6000
    return True
