# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook flash, from a downloaded image to a card that is a host of the inventory."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._pi.test_host_image import HASH, KEY, generated
from ansible_collections.hearth.cluster.tests.unit.plugins.modules.test_boot_media import TRIXIE, content, image

from tests.support.playbooks import ansible_playbook

PASSWORD = "correct horse battery"
FORMER = "192.168.1.11 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
HOSTS = {
    "pi1": {
        "ansible_host": "192.168.1.11",
        "card_address": {"address": "192.168.1.11/24", "gateway": "192.168.1.1"},
        "card_wifi": {"country": "DE", "name": "home", "password": PASSWORD},
        "card_password_hash": HASH,
    },
    "pi2": {"ansible_host": "192.168.1.12", "card_address": {"address": "192.168.1.21/24"}},
}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """The folder in which an operator works: inventory, download, known hosts."""
    (tmp_path / "hosts.json").write_text(
        json.dumps({"k3s_cluster": {"hosts": HOSTS, "vars": {"ansible_user": "ann", "card_ssh_keys": [KEY]}}})
    )
    plain = image(tmp_path / "raspios.img", TRIXIE)
    (tmp_path / "raspios.img.xz").write_bytes(lzma.compress(plain.read_bytes(), preset=0))
    (tmp_path / "known_hosts").write_text(FORMER)
    return tmp_path


def flash(desk: Path, **parameters: object) -> tuple[int, str]:
    given = {"card_known_hosts": str(desk / "known_hosts"), **parameters}
    words = ("-i", "hosts.json", "hearth.cluster.flash", "-vv", "--diff", "--extra-vars", json.dumps(given))
    return ansible_playbook(desk, *words)


def test_a_download_becomes_the_host_and_a_second_run_changes_nothing_but_what_ssh_must_know(desk: Path) -> None:
    private, public = generated(desk, "-N", "", "-t", "ed25519")
    card = {"host": "pi1", "card": "pi1.img", "image": "raspios.img.xz", "card_host_keys": [private]}
    status, said = flash(desk, **card)
    assert status == 0, said[-4000:]
    assert "writing: ########## 100 %" in said
    files = content(desk / "pi1.img")
    assert 'hostname: "pi1"' in files["user-data"]
    assert "192.168.1.11/24" in files["network-config"]
    assert "cgroup_enable=memory ds=nocloud;i=pi1-" in files["cmdline.txt"]
    known = (desk / "known_hosts").read_text()
    assert FORMER not in known
    assert f"192.168.1.11 {public.strip()}" in known
    for secret in (PASSWORD, HASH, private.splitlines()[1]):
        assert secret not in said

    status, said = flash(desk, **card)
    assert (status, "changed=0" in said, "changed=1" in said) == (0, True, False), said[-4000:]

    (desk / "known_hosts").write_text(FORMER)
    status, said = flash(desk, **card)
    assert status == 0, said[-4000:]
    known = (desk / "known_hosts").read_text()
    assert FORMER not in known, "a run that was cut short leaves it"
    assert f"192.168.1.11 {public.strip()}" in known


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        pytest.param({"host": "pi1"}, "Say which host of the inventory and which card", id="no card"),
        pytest.param(
            {"host": "pi2"},
            "would come up at 192.168.1.21 and be looked for at 192.168.1.12",
            id="another address",
        ),
        pytest.param({"host": "pi2", "card_hostname": "pi1"}, "Another host", id="two hosts with one name"),
        pytest.param(
            {"host": "pi2", "ansible_host": "192.168.1.11", "card_address": {"address": "192.168.1.11/24"}},
            "'pi1' of the inventory has the address 192.168.1.11 as well",
            id="two hosts with one address",
        ),
        pytest.param({"host": "pi1", "sha256": "0" * 64}, "it is damaged, or another file", id="another checksum"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(desk: Path, parameters: dict[str, object], message: str) -> None:
    card = {} if message.startswith("Say") else {"card": "pi1.img", "image": "raspios.img.xz"}
    status, said = flash(desk, **card, **parameters)
    assert status != 0
    assert message in said
    assert not (desk / "pi1.img").exists()
