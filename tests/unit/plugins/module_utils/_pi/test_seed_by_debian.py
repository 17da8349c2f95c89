# SPDX-License-Identifier: GPL-3.0-or-later
"""The seed as Debian's own cloud-init and netplan read it; the packages are unpacked into the cache, not installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ansible_collections.hearth.cluster.plugins.module_utils._pi.command_line import parse, with_arguments
from ansible_collections.hearth.cluster.plugins.module_utils._pi.first_boot import (
    ImageKind,
    instance_id,
    kernel_arguments,
    seed_files,
)
from ansible_collections.hearth.cluster.plugins.module_utils._pi.host_image import HostImage, host_image
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._pi.test_host_image import (
    DEFAULTS,
    HASH,
    STATIC,
    WIFI,
    generated,
)

PACKAGES = ("cloud-init", "libnetplan0", "netplan.io", "python3-configobj", "python3-six")
PYTHON = "usr/lib/python3/dist-packages"
ADDRESS = {**STATIC, "nameservers": ["9.9.9.9"], "search": ["lan"]}

# What cloud-init makes of the seed's user, given the default user of Raspberry Pi OS, and of the kernel's argument.
ASK_CLOUD_INIT = """
import json, sys, yaml
from cloudinit.distros import ug_util
from cloudinit.sources.DataSourceNoCloud import parse_cmdline_data
class RaspberryPiOS:
    def get_default_user(self):
        return {"name": "pi", "groups": ["adm", "gpio", "sudo"], "shell": "/bin/bash", "lock_passwd": True}
seed, line = sys.argv[1:]
users, _groups = ug_util.normalize_users_groups({"users": ["default"], **yaml.safe_load(seed)}, RaspberryPiOS())
named = {}
parse_cmdline_data("ds=nocloud", named, line)
print(json.dumps({"users": users, "named": named}))
"""


@pytest.fixture(scope="session")
def debian() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hearth" / "debian-tools"
    if not (cache / "complete").exists():
        cache.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(
                ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *PACKAGES],
                cwd=cache,
                check=True,
                capture_output=True,
                timeout=120,
            )
            for package in cache.glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", str(package), str(cache)], check=True, capture_output=True)
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"Debian's {', '.join(PACKAGES)} could not be had: {error}")
        (cache / "complete").touch()
    return cache


@pytest.fixture(params=["plain", "full", "wifi"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> HostImage:
    private, _public = generated(tmp_path, "-N", "", "-t", "ed25519")
    changes: dict[str, dict[str, Any]] = {
        "plain": {},
        "full": {
            "address": ADDRESS,
            "password_hash": HASH,
            "passwordless_sudo": False,
            "time_zone": "Europe/Berlin",
            "keyboard": "de",
            "host_keys": [private],
        },
        "wifi": {"wifi": {**WIFI, "hidden": True, "name": 'a "b" \\ ä: #'}, "address": {**ADDRESS, "wifi": True}},
    }
    return host_image({**DEFAULTS, **changes[request.param]})


def test_cloud_inits_schema_accepts_the_user_data(debian: Path, host: HostImage) -> None:
    schema = json.loads((debian / PYTHON / "cloudinit/config/schemas/schema-cloud-config-v1.json").read_text())
    validator = jsonschema.Draft4Validator(schema)
    assert list(validator.iter_errors({"user": 5})), "the schema does look at the keys that are used"
    data = yaml.safe_load(seed_files(ImageKind.CLOUD_INIT, host)["user-data"])
    assert [error.message for error in validator.iter_errors(data)] == []


def test_cloud_init_keeps_the_users_groups_and_finds_its_instance(debian: Path, host: HostImage) -> None:
    line = with_arguments(
        parse("console=tty1 root=x rootwait\n"), kernel_arguments(ImageKind.CLOUD_INIT, host)
    ).render()
    said = subprocess.run(
        [sys.executable, "-c", ASK_CLOUD_INIT, seed_files(ImageKind.CLOUD_INIT, host)["user-data"], line],
        env={**os.environ, "PYTHONPATH": str(debian / PYTHON)},
        check=True,
        capture_output=True,
        text=True,
    )
    answer = json.loads(said.stdout)
    user = answer["users"]["pi"]
    assert user["groups"] == "adm,gpio,sudo"
    assert user["ssh_authorized_keys"] == list(host.ssh_keys)
    assert user["sudo"] == ("ALL=(ALL) NOPASSWD:ALL" if host.passwordless_sudo else None)
    assert answer["named"] == {"instance-id": instance_id(host)}


def test_netplan_makes_the_networks_of_it(debian: Path, host: HostImage, tmp_path: Path) -> None:
    config = tmp_path / "root/etc/netplan/50-cloud-init.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(seed_files(ImageKind.CLOUD_INIT, host)["network-config"])
    config.chmod(0o600)
    (library,) = debian.glob("usr/lib/*/libnetplan.so.0.0")
    ended = subprocess.run(
        [str(debian / "usr/libexec/netplan/generate"), "--root-dir", str(tmp_path / "root")],
        env={**os.environ, "LD_LIBRARY_PATH": str(library.parent)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    devices = {"eth0"} | ({"wlan0"} if host.wifi else set())
    for device in devices:
        made = (tmp_path / f"root/run/systemd/network/10-netplan-{device}.network").read_text()
        is_static = host.address is not None and host.device == device
        assert ("Address=192.168.1.11/24" in made) is is_static
        assert ("Gateway=192.168.1.1" in made) is is_static
        assert ("DHCP=ipv4" in made) is not is_static
