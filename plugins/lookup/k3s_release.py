# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_release
short_description: A file of a k3s release, verified, on the controller
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Returns the SHA-256 or the size of a release's binary, or the path on the controller of the binary or of the
    release's images.
  - The first use downloads what is asked for into a cache, keyed by version and server; later uses need no network. A
    file is verified against the release's own list of checksums each time its path is asked for.
options:
  _terms:
    description: One version, such as V(v1.36.3+k3s1).
    type: list
    elements: str
    required: true
  architecture:
    description: The machine's architecture as C(uname -m) prints it.
    type: str
    default: x86_64
  want:
    description:
      - What to return. V(sha256), V(size) in bytes, and V(path) are the binary's.
      - V(images) is the path of the archive of all images that k3s itself needs, for machines without a network.
      - V(exists) is true if there is such a release, for whatever architecture; if there is none, it is an error.
    type: str
    choices: [sha256, size, path, images, exists]
    default: path
  url:
    description: Where the releases are; the version and the name of a file are appended.
    type: str
    default: https://github.com/k3s-io/k3s/releases/download
  file:
    description:
      - A binary on the controller to use instead of a release's; it is not downloaded then. Empty means none.
    type: str
    default: ""
  cache:
    description: The cache's directory. Empty means C(hearth) below E(XDG_CACHE_HOME) or C(~/.cache).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show what the binary of a Raspberry Pi must be
  ansible.builtin.debug:
    msg: "{{ lookup('hearth.cluster.k3s_release', 'v1.36.3+k3s1', architecture='aarch64', want='sha256') }}"

- name: Bring the binary to a machine
  ansible.builtin.copy:
    src: "{{ lookup('hearth.cluster.k3s_release', 'v1.36.3+k3s1', architecture='aarch64') }}"
    dest: /usr/local/bin/k3s
    mode: "0755"

- name: Show where the images are that machines without a network need
  ansible.builtin.debug:
    msg: "{{ lookup('hearth.cluster.k3s_release', 'v1.36.3+k3s1', architecture='aarch64', want='images') }}"
"""

RETURN = r"""
_raw:
  description: The SHA-256 in hexadecimal digits, the size in decimal ones, the absolute path, or true.
  type: list
  elements: raw
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ..module_utils._errors import HearthError
from ..module_utils._k3s.release import Release, release_for, releases_of
from ..plugin_utils._release_cache import ReleaseCache, default_directory, demand_any, digest, local_file

display = Display()


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible comes without types
    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str | bool]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [self._of(str(version)) for version in terms]  # YAML takes 1.36 for a number
        except HearthError as error:
            raise AnsibleLookupError(str(error)) from None  # Ansible would say it twice

    def _of(self, version: str) -> str | bool:
        given, want = self.get_option("file"), self.get_option("want")
        if want == "images":
            return str(self._cache_for(version).images())
        if want == "exists" and not given:
            demand_any([self._cache(each) for each in releases_of(version, self.get_option("url"))])
            return True
        cache = None if given else self._cache_for(version)
        if cache and want == "sha256":
            return cache.sha256()  # the list of checksums is enough for that
        path = cache.binary() if cache else local_file(given, "k3s_binary")
        views: dict[str, Callable[[], str | bool]] = {
            "sha256": lambda: digest(path),
            "size": lambda: str(path.stat().st_size),
            "path": lambda: str(path),
            "exists": lambda: True,
        }
        return views[want]()

    def _cache_for(self, version: str) -> ReleaseCache:
        return self._cache(release_for(version, self.get_option("architecture"), self.get_option("url")))

    def _cache(self, release: Release) -> ReleaseCache:
        directory = self.get_option("cache")
        return ReleaseCache(
            release, Path(directory).expanduser() if directory else default_directory(), display.display
        )
