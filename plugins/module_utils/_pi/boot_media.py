# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection. All that changes on a boot partition so that the card comes up as a host, as one value."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from .boot_config import FileChange, Request, plan, texts_from
from .first_boot import ImageKind, instance_id, kernel_arguments, recognise, seed_files
from .host_image import HostImage
from .seed_text import AUTHOR, masked


@dataclass(frozen=True, slots=True)
class SeedChange(FileChange):
    """A file of the first boot, whose difference hides what is secret."""

    def diff(self, where: str) -> dict[str, str]:
        header = f"{where}/{self.name}"
        before, after = _shown(self.before), _shown(self.after)
        if before == after and self.changed:
            after += "# what is hidden changes\n"
        return {"before_header": header, "after_header": header, "before": before, "after": after}


@dataclass(frozen=True, slots=True)
class MediaPlan:
    kind: ImageKind | None  # None for the plan without a card
    instance_id: str  # empty without cloud-init
    files: tuple[FileChange, ...]  # in the order to write them: the kernel is pointed to the seed when that is there

    @property
    def changes(self) -> tuple[FileChange, ...]:
        return tuple(file for file in self.files if file.changed)


NOTHING = MediaPlan(None, "", ())


def plan_media(
    names: Collection[str], read: Callable[[str], str | None], host: HostImage, request: Request
) -> MediaPlan:
    texts = texts_from(read)
    kind = recognise(names, texts.command_line)
    seeds = tuple(SeedChange(name, read(name) or "", text) for name, text in seed_files(kind, host).items())
    own = kernel_arguments(kind, host)
    boot = plan(texts, replace(request, present={**request.present, **own}))
    identity = instance_id(host) if kind is ImageKind.CLOUD_INIT else ""
    return MediaPlan(kind, identity, (*seeds, *reversed(boot.files)))


def _shown(text: str) -> str:
    if text and AUTHOR not in text.splitlines()[:2]:
        return f"({len(text.splitlines())} lines by another author, who may have put secrets anywhere)\n"
    return masked(text)
