# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing whole images: to files, and to a real block device where root may make one."""

from __future__ import annotations

import hashlib
import json
import lzma
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.hearth.cluster.plugins.module_utils._errors import HostError, InputError
from ansible_collections.hearth.cluster.plugins.module_utils._pi import card_image as writer
from ansible_collections.hearth.cluster.plugins.module_utils._pi.block_device import BlockDevice, describe, refuse
from ansible_collections.hearth.cluster.plugins.modules import boot_media, card_image
from ansible_collections.hearth.cluster.tests.unit.plugins.modules.test_boot_media import (
    HOST,
    START,
    TRIXIE,
    content,
    image,
)

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(module: Any = card_image, check: bool = False, **options: Any) -> dict[str, Any]:
        given = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
        with patch_module_args({**given, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """A compressed image, as from the download page."""
    plain = image(tmp_path / "raspios.img", TRIXIE)
    packed = tmp_path / "raspios.img.xz"
    packed.write_bytes(lzma.compress(plain.read_bytes(), preset=0))
    return packed


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Path]:
    """A block device of 8 MiB with other data on it."""
    backing = tmp_path / "backing"
    backing.write_bytes(b"old " * (2 << 20))
    made = subprocess.run(["losetup", "--find", "--show", str(backing)], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no loop device can be had here: {made.stderr.strip()}")
    device = Path(made.stdout.strip())
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", str(device)], check=True)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_gets_the_image_and_a_second_run_changes_nothing(tmp_path: Path, run: Run, download: Path) -> None:
    target, progress = tmp_path / "pi1.img", tmp_path / "progress"
    assert run(image=download, target=target, check=True)["changed"]
    assert not target.exists()
    result = run(image=download, sha256=digest(download), target=target, progress_file=progress)
    plain = tmp_path / "raspios.img"
    assert (result["changed"], result["size"]) == (True, plain.stat().st_size)
    assert target.read_bytes() == plain.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    lines = progress.read_text().splitlines()
    assert list(dict.fromkeys(line.split(":")[0] for line in lines[1:])) == ["writing", "reading back"]
    assert "########## 100 %" in lines[-1]
    assert run(image=plain, target=target)["changed"] is False
    assert sorted(path.name for path in tmp_path.glob("pi1*")) == ["pi1.img"]


def test_a_host_in_the_boot_partition_is_no_reason_to_write_again(tmp_path: Path, run: Run, download: Path) -> None:
    target = tmp_path / "pi1.img"
    run(image=download, target=target)
    assert run(module=boot_media, path=target, host=HOST)["changed"]
    assert run(image=download, target=target)["changed"] is False
    with target.open("r+b") as file:
        file.seek(-512, 2)
        file.write(b"a machine started from it")
    assert run(image=download, target=target)["changed"] is True
    assert content(target) == TRIXIE


def test_a_card_is_written_after_its_name_was_given_twice(run: Run, download: Path, card: Path) -> None:
    before = card.read_bytes()
    refused = run(image=download, target=card)
    assert f"All that is on {card} (unknown model, 0.0 GB) would be lost" in refused["msg"]
    assert "would be lost" in run(image=download, target=card, confirmed="/dev/sda")["msg"]
    assert run(image=download, target=card, check=True)["changed"]
    assert card.read_bytes() == before
    assert run(image=download, target=card, confirmed=card)["changed"]
    written = download.with_suffix("").read_bytes()
    assert card.read_bytes()[: len(written)] == written
    assert run(image=download, target=card)["changed"] is False
    seeded = run(module=boot_media, path=card, host=HOST)
    assert "user-data" in seeded["changed_files"]
    listed = subprocess.run(
        ["mtype", "-i", f"{card}@@{START * 512}", "::meta-data"], check=True, capture_output=True, text=True
    ).stdout
    assert seeded["instance_id"] in listed
    assert run(image=download, target=card)["changed"] is False


def test_a_card_that_is_mounted_is_refused(tmp_path: Path, run: Run, download: Path, card: Path) -> None:
    subprocess.run(["mkfs.ext4", "-q", str(card)], check=True, capture_output=True)
    place = tmp_path / "mounted here"
    place.mkdir()
    if subprocess.run(["mount", str(card), str(place)], check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        for options in ({"image": download, "target": card, "confirmed": card}, {"path": card, "host": HOST}):
            module = card_image if "image" in options else boot_media
            assert f"is mounted at {place}; unmount it first" in run(module=module, **options)["msg"]
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_card_that_is_too_small_is_refused(tmp_path: Path, run: Run, card: Path) -> None:
    large = image(tmp_path / "large.img", TRIXIE, megabytes=8)
    before = card.read_bytes()
    assert "is too small" in run(image=large, target=card, confirmed=card)["msg"]
    assert card.read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "options", "message"),
    [
        pytest.param(lambda data: data[:-400], {}, "is cut off; download it again", id="cut off"),
        pytest.param(lambda data: data[:200] + bytes(9) + data[209:], {}, "is damaged", id="damaged"),
        pytest.param(lambda data: data, {"sha256": "0" * 64}, f"and not {'0' * 64}", id="another checksum"),
        pytest.param(lambda _data: lzma.compress(b"hello"), {}, "has no partition table", id="no image"),
    ],
)
def test_a_bad_image_changes_nothing(
    tmp_path: Path, run: Run, download: Path, damage: Callable[[bytes], bytes], options: dict[str, str], message: str
) -> None:
    download.write_bytes(damage(download.read_bytes()))
    target = tmp_path / "pi1.img"
    target.write_text("as before")
    assert message in run(image=download, target=target, **options)["msg"]
    assert target.read_text() == "as before"


def test_what_is_not_there_is_named(tmp_path: Path, run: Run, download: Path) -> None:
    assert "There is no image" in run(image=tmp_path / "none", target=tmp_path / "x")["msg"]
    assert (
        "There is no device /dev/nosuch; is the card in its reader?" in run(image=download, target="/dev/nosuch")["msg"]
    )


def test_a_card_that_forgets_is_found_out_and_left_without_partitions(
    tmp_path: Path, download: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = writer.examine(download, "", lambda _line: None)
    target = tmp_path / "card"
    target.touch()
    honest = writer._settle

    def forgets(handle: int) -> None:
        honest(handle)
        writer.os.pwrite(handle, b"forgotten", whole.size - 9)

    monkeypatch.setattr(writer, "_settle", forgets)
    with pytest.raises(HostError, match="does not hold what was written"):
        writer._write(whole, target, lambda _line: None)
    assert target.read_bytes()[:512] == bytes(512)


class Killed(BaseException):
    """Stands for a power cut."""


def test_a_card_whose_writing_was_cut_off_has_no_partitions(
    tmp_path: Path, download: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = writer.examine(download, "", lambda _line: None)
    target = tmp_path / "card"
    target.write_bytes(download.with_suffix("").read_bytes())
    monkeypatch.setattr(writer, "_CHUNK", 1 << 20)
    left = 2

    def all_but(card: Any, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        card.write(data)

    monkeypatch.setattr(writer, "_all", all_but)
    with pytest.raises(Killed):
        writer._write(whole, target, lambda _line: None)
    assert target.read_bytes()[:512] == bytes(512)


def machine(root: Path, mounts: str = "", swaps: str = "") -> Path:
    """A computer with one disk, encrypted, as /sys and /proc show it."""
    files = {
        "sys/class/block/sda/dev": "8:0",
        "sys/class/block/sda/size": "1000",
        "sys/class/block/sda/ro": "0",
        "sys/class/block/sda/device/vendor": "ACME    ",
        "sys/class/block/sda/device/model": "Disk  ",
        "sys/class/block/sda/sda1/partition": "1",
        "sys/class/block/sda/sda1/dev": "8:1",
        "sys/class/block/sda/sda1/holders/dm-0/dev": "254:0",
        "proc/self/mountinfo": mounts,
        "proc/swaps": f"Filename Type Size Used Priority\n{swaps}",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("mounts", "swaps", "message"),
    [
        pytest.param("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "", "this computer runs from", id="its root"),
        pytest.param("22 1 254:0 / /home rw - ext4 /dev/mapper/x rw\n", "", "this computer runs from", id="encrypted"),
        pytest.param("22 1 0:40 / / rw - btrfs /dev/sda1 rw\n", "", "this computer runs from", id="btrfs"),
        pytest.param("", "/dev/sda1 partition 1 0 -2\n", "this computer runs from", id="its swap"),
        pytest.param(
            "22 1 8:1 / /media/my\\040card rw - vfat /dev/sda1 rw\n", "", "mounted at /media/my card", id="card"
        ),
    ],
)
def test_a_disk_in_use_is_refused(tmp_path: Path, mounts: str, swaps: str, message: str) -> None:
    device = describe(Path("/dev/sda"), machine(tmp_path, mounts, swaps))
    assert device.label == "/dev/sda (ACME Disk, 0.0 GB)"
    with pytest.raises(InputError, match=message):
        refuse(device)


def test_another_disk_with_a_longer_name_is_not_meant(tmp_path: Path) -> None:
    refuse(describe(Path("/dev/sda"), machine(tmp_path, "22 1 65:160 / / rw - ext4 /dev/sdaa1 rw\n")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"is_partition": True}, "name the whole card"),
        ({"size": 0}, "has no card in it"),
        ({"read_only": True}, "the little switch"),
    ],
)
def test_a_card_that_cannot_be_written_is_refused(changes: dict[str, Any], message: str) -> None:
    fine = {"size": 1, "read_only": False, "is_partition": False, "mounts": (), "is_swap": False}
    with pytest.raises((InputError, HostError), match=message):
        refuse(BlockDevice(path="/dev/sdb", model="Card", **{**fine, **changes}))
