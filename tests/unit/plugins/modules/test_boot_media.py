# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on partitions as folders and inside real images, which mtools and fsck read back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.hearth.cluster.plugins.module_utils._errors import HostError
from ansible_collections.hearth.cluster.plugins.module_utils._pi.image import Image
from ansible_collections.hearth.cluster.plugins.modules import boot_media
from ansible_collections.hearth.cluster.tests.unit.plugins.module_utils._pi.test_host_image import HASH, KEY, generated

TRIXIE = {
    "cmdline.txt": "console=serial0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 rootwait resize\n",
    "config.txt": "dtparam=audio=on\n\n[all]\n",
    "user-data": "#cloud-config\n# examples\n#chpasswd: {list: 'pi:examplepassword'}\n",
    "meta-data": "dsmode: local\ninstance_id: rpios-image\n",
    "network-config": "network:\n  version: 2\n",
}
BOOKWORM = {
    "cmdline.txt": "console=tty1 root=PARTUUID=4e639091-02 quiet init=/usr/lib/raspberrypi-sys-mods/firstboot\n",
    "config.txt": "dtparam=audio=on\nauto_initramfs=1\n",
    "initramfs8": "",
}
HOST = {
    "hostname": "pi1",
    "ssh_keys": [KEY],
    "password_hash": HASH,
    "address": {"address": "192.168.1.11/24", "gateway": "192.168.1.1"},
    "wifi": {"country": "DE", "name": "home", "password": "correct horse"},
}
BOOT = {
    "command_line": {"present": {"cgroup_enable": ["memory"]}},
    "config": [{"settings": {"gpu_mem": 16}}],
}
START = 2048  # the partition's first sector
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(path: Path | None, check: bool = False, **params: Any) -> dict[str, Any]:
        options = {"path": str(path) if path else None, **params, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(options), pytest.raises(SystemExit):
            boot_media.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def folder(path: Path, files: dict[str, str]) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def image(path: Path, files: dict[str, str], megabytes: int = 4) -> Path:
    """A card's image: partition table, FAT made by dosfstools and filled by mtools, and a second partition."""
    for program in ("mkfs.vfat", "mcopy", "fsck.vfat"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed (packages dosfstools and mtools)")
    fat = path.with_suffix(".fat")
    with fat.open("wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run(["mkfs.vfat", "-n", "BOOTFS", str(fat)], check=True, capture_output=True)
    for name, text in files.items():
        subprocess.run(["mcopy", "-i", str(fat), "-", f"::{name}"], input=text.encode(), check=True)
    sectors = megabytes << 11
    entries = b"".join(
        bytes([0, 0, 0, 0, kind, 0, 0, 0]) + start.to_bytes(4, "little") + length.to_bytes(4, "little")
        for kind, start, length in ((0x0C, START, sectors), (0x83, START + sectors, 64))
    )
    table = bytes(446) + entries.ljust(64, b"\0") + b"\x55\xaa"
    path.write_bytes(table.ljust(START * 512, b"\0") + fat.read_bytes() + b"R" * 64 * 512)
    path.chmod(0o600)
    return path


def content(path: Path, megabytes: int = 4) -> dict[str, str]:
    """The partition as mtools sees it, after fsck found nothing wrong with it."""
    if path.is_dir():
        return {entry.name: entry.read_text() for entry in path.iterdir()}
    fat = path.with_suffix(".out")
    fat.write_bytes(path.read_bytes()[START * 512 : START * 512 + (megabytes << 20)])
    subprocess.run(["fsck.vfat", "-n", str(fat)], check=True, capture_output=True)
    listed = subprocess.run(["mdir", "-b", "-i", str(fat), "::"], check=True, capture_output=True, text=True)
    names = [line.removeprefix("::/") for line in listed.stdout.split()]
    return {
        name: subprocess.run(["mtype", "-i", str(fat), f"::{name}"], check=True, capture_output=True, text=True).stdout
        for name in names
    }


@pytest.mark.parametrize("make", [folder, image])
def test_a_card_with_cloud_init_becomes_the_host(tmp_path: Path, run: Run, make: Callable[..., Path]) -> None:
    card = make(tmp_path / "card", TRIXIE)
    predicted = run(card, check=True, host=HOST, **BOOT)
    assert content(card) == TRIXIE
    result = run(card, host=HOST, **BOOT)
    assert result == predicted
    assert result["changed_files"] == ["user-data", "network-config", "meta-data", "config.txt", "cmdline.txt"]
    found = content(card)
    identity = result["instance_id"]
    assert found["cmdline.txt"] == TRIXIE["cmdline.txt"].replace(
        "resize\n", f"resize cgroup_enable=memory ds=nocloud;i={identity} cfg80211.ieee80211_regdom=DE\n"
    )
    assert found["config.txt"] == TRIXIE["config.txt"] + "gpu_mem=16\n"
    assert yaml.safe_load(found["user-data"])["user"]["hashed_passwd"] == HASH
    assert yaml.safe_load(found["meta-data"])["instance-id"] == identity
    assert set(found) == set(TRIXIE)
    again = run(card, host=HOST, **BOOT)
    assert (again["changed"], again["changed_files"], again["diff"]) == (False, [], [])
    assert content(card) == found


@pytest.mark.parametrize("make", [folder, image])
def test_a_bookworm_card_becomes_the_host(tmp_path: Path, run: Run, make: Callable[..., Path]) -> None:
    card = make(tmp_path / "card", BOOKWORM)
    result = run(card, host=HOST)
    assert (result["kind"], result["instance_id"]) == ("firstrun.sh", "")
    assert result["changed_files"] == ["firstrun.sh", "cmdline.txt"]
    found = content(card)
    assert "echo pi1 > /etc/hostname\n" in found["firstrun.sh"]
    assert "systemd.run=/boot/firmware/firstrun.sh systemd.run_success_action=reboot" in found["cmdline.txt"]
    assert not run(card, host=HOST)["changed"]


def test_nothing_else_in_the_image_changes(tmp_path: Path, run: Run) -> None:
    card = image(tmp_path / "card", TRIXIE)
    before = card.read_bytes()
    run(card, host=HOST)
    after = card.read_bytes()
    assert len(after) == len(before)
    assert after[: START * 512] == before[: START * 512]
    assert after.endswith(b"R" * 64 * 512)


def test_no_secret_is_in_the_result(tmp_path: Path, run: Run) -> None:
    private, _public = generated(tmp_path, "-N", "", "-t", "ed25519")
    card = folder(tmp_path / "card", TRIXIE)
    host = {**HOST, "host_keys": [private]}
    first = run(card, host=host)
    key = yaml.safe_load((card / "network-config").read_text())["network"]["wifis"]["wlan0"]["access-points"]["home"][
        "password"
    ]
    other = run(card, host={**host, "wifi": {**HOST["wifi"], "password": "another one"}})
    body = private.splitlines()[1]
    for secret in (HASH, key, body, "correct horse", "another one", "examplepassword"):
        assert secret not in json.dumps({**first, "invocation": None})
        assert secret not in json.dumps({**other, "invocation": None})
    assert [diff["after"].splitlines()[-1] for diff in other["diff"]] == ["# what is hidden changes"]
    assert "3 lines by another author" in first["diff"][0]["before"]


def test_a_changed_host_changes_only_its_own_argument(tmp_path: Path, run: Run) -> None:
    card = folder(tmp_path / "card", TRIXIE)
    first = run(card, host=HOST)["instance_id"]
    line = (card / "cmdline.txt").read_text()
    second = run(card, host={**HOST, "time_zone": "Europe/Berlin"})["instance_id"]
    assert (card / "cmdline.txt").read_text() == line.replace(first, second)


@pytest.mark.parametrize(
    ("files", "params", "message"),
    [
        pytest.param({"cmdline.txt": "root=x\n"}, {}, "kind of image is unknown", id="unknown image"),
        pytest.param({"config.txt": "a=1\n"}, {}, "it has no cmdline.txt", id="no command line"),
        pytest.param({"EFI": ""}, {}, "is not a boot partition", id="another partition"),
        pytest.param(TRIXIE, {"host": {**HOST, "hostname": "Pi_1"}}, "is not a host name", id="host name"),
        pytest.param(TRIXIE, {"host": {**HOST, "time_zone": "Europe/Berln"}}, "There is no time zone", id="time zone"),
        pytest.param(
            TRIXIE,
            {"host": {**HOST, "address": {"address": "192.168.1.11/24", "gateway": "192.168.2.1"}}},
            "must be another address of 192.168.1.0/24",
            id="outside the subnet",
        ),
        pytest.param(TRIXIE, {"host": {**HOST, "ssh_keys": ["id_ed25519"]}}, "is not an SSH public key", id="no key"),
        pytest.param(
            TRIXIE, {"host": {**HOST, "wifi": {"name": "home"}}}, "Wi-Fi needs its country", id="Wi-Fi without country"
        ),
        pytest.param(TRIXIE, {"neighbours": [{"hostname": "pi1"}]}, "is called 'pi1' as well", id="duplicate name"),
        pytest.param(
            TRIXIE,
            {"neighbours": [{"hostname": "pi2", "address": "192.168.1.11"}]},
            "has the address",
            id="duplicate address",
        ),
        pytest.param(TRIXIE, {"config": [{"filter": "pi9"}]}, "no filter", id="config.txt"),
        pytest.param({**BOOKWORM, "custom.toml": ""}, {}, "has a custom.toml", id="another's wishes"),
    ],
)
def test_wrong_input_writes_nothing(
    tmp_path: Path, run: Run, files: dict[str, str], params: dict[str, Any], message: str
) -> None:
    card = folder(tmp_path / "card", files)
    result = run(card, **{"host": HOST, **params})
    assert message in result["msg"]
    assert content(card) == files


def test_without_a_card_the_host_is_checked(tmp_path: Path, run: Run) -> None:
    private, public = generated(tmp_path, "-N", "", "-t", "ed25519")
    result = run(None, host={**HOST, "host_keys": [private]})
    assert (result["changed"], result["kind"], result["public_host_keys"]) == (False, "", [public.strip()])
    assert "is not a host name" in run(None, host={**HOST, "hostname": "Pi_1"})["msg"]
    assert "no filter" in run(None, host=HOST, config=[{"filter": "pi9"}])["msg"]


def test_a_path_that_is_no_card_is_refused(tmp_path: Path, run: Run) -> None:
    assert "is neither a mounted boot partition nor a card" in run(tmp_path / "none", host=HOST)["msg"]
    (tmp_path / "notes.img").write_text("hello")
    assert "is not the image of a card: it has no partition table" in run(tmp_path / "notes.img", host=HOST)["msg"]


def test_an_image_that_is_cut_off_is_refused(tmp_path: Path, run: Run) -> None:
    card = image(tmp_path / "card", TRIXIE)
    card.write_bytes(card.read_bytes()[:-512])
    assert "it is cut off: partition 2 ends beyond the end of the file" in run(card, host=HOST)["msg"]


def test_a_partition_that_is_no_fat_is_refused(tmp_path: Path, run: Run) -> None:
    card = image(tmp_path / "card", TRIXIE)
    whole = bytearray(card.read_bytes())
    whole[START * 512 : START * 512 + 4096] = bytes(4096)
    card.write_bytes(whole)
    assert "mdir failed on" in run(card, host=HOST)["msg"]


@pytest.mark.parametrize("free_clusters", [0, 1])
def test_a_full_partition_keeps_what_it_has(tmp_path: Path, run: Run, free_clusters: int) -> None:
    card = image(tmp_path / "card", TRIXIE)
    where = f"{card}@@{START * 512}"
    listed = subprocess.run(["mdir", "-i", where, "::"], check=True, capture_output=True, text=True).stdout
    free = int(listed.splitlines()[-2].removesuffix(" bytes free").replace(" ", ""))
    filler = b"k" * (free - free_clusters * 2048)
    subprocess.run(["mcopy", "-i", where, "-", "::kernel8.img"], input=filler, check=True)
    result = run(card, host=HOST)
    assert "the boot partition is full" in result["msg"]
    assert content(card) == {**TRIXIE, "kernel8.img": filler.decode()}


def test_a_read_only_image_is_named(tmp_path: Path, run: Run) -> None:
    card = image(tmp_path / "card", TRIXIE)
    card.chmod(0o400)
    assert "the image is read-only" in run(card, host=HOST)["msg"]


def test_an_image_that_everybody_can_read_is_pointed_out(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where tests of controller plugins ran before, Ansible shows a warning instead of putting it into the result.
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: warnings.append(text))
    card = image(tmp_path / "card", TRIXIE)
    card.chmod(0o644)
    run(card, host=HOST)
    assert [text for text in warnings if "Everybody can read" in text]


class Killed(BaseException):
    """Stands for SIGKILL: no clean-up of the code under test catches it."""


def killed_at(commands: int) -> Callable[..., tuple[int, bytes, bytes]]:
    """Runs that many commands of mtools and is killed, the last of them half way through what it writes."""
    left = commands

    def call(command: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        data = options["data"]
        if left == 0 and data is not None:
            data = data[: len(data) // 2]
        environment = {**os.environ, **options["environ_update"]}
        ended = subprocess.run(command, input=data, env=environment, capture_output=True, check=False)
        return ended.returncode, ended.stdout, ended.stderr

    return call


def test_killed_after_any_command_the_next_run_finds_the_file_old_or_new(tmp_path: Path) -> None:
    card = image(tmp_path / "card", TRIXIE)
    old, new = TRIXIE["cmdline.txt"], TRIXIE["cmdline.txt"].replace("resize", "resize quiet")
    found = []
    for commands in range(20):
        card.write_bytes(image(tmp_path / "card", TRIXIE).read_bytes())
        try:
            Image(card, START * 512, killed_at(commands)).write("cmdline.txt", new)
            killed = False
        except Killed:
            killed = True
        after = Image(card, START * 512, killed_at(1000))
        seen = after.read("cmdline.txt")
        after.recover()
        assert after.read("cmdline.txt") == seen, "what was read is what is there in the end"
        found.append(seen)
        if not killed:
            break
    assert not killed, "the writer needs more commands than this test kills it at"
    assert found == sorted(found, key=[old, new].index)
    assert set(found) == {old, new}
    assert content(card) == {**TRIXIE, "cmdline.txt": new}


@pytest.mark.parametrize("broken", ["mcopy", "mren"])
def test_a_command_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, broken: str) -> None:
    card = image(tmp_path / "card", TRIXIE)
    working = killed_at(1000)

    def call(command: list[str], **options: Any) -> tuple[int, bytes, bytes]:
        writes = command[0] == broken and command[-1] != "-"
        return (1, b"", b"the card is gone") if writes else working(command, **options)

    with pytest.raises(HostError, match=f"{broken} failed on .*: the card is gone"):
        Image(card, START * 512, call).write("user-data", "new\n")
    assert content(card) == TRIXIE
