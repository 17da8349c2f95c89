# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret that is given to any face is found nowhere where somebody could read it who should not.

A playbook hands it to modules and lookups in every way there is, with all that Ansible can tell switched on, and with
what the API server refuses. Then it is searched for: in the output, the log, argument lists, files, and the cluster.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.apiserver import ApiServer
from tests.lab.playbook import environment

pytestmark = pytest.mark.apiserver

SECRET = "tr0ub4dor-and-3-horses"
OTHER = "an0ther-one-of-9-batteries"
ENCODED = tuple(base64.b64encode(each.encode()).decode() for each in (SECRET, OTHER))
SIGNS = (SECRET, OTHER, *ENCODED)

PLAY = """
- hosts: localhost
  gather_facts: false
  vars_files: [secret.yml]
  vars:
    in_place:
      apiVersion: v1
      kind: Secret
      metadata: {name: in-place}
      stringData: {password: "{{ secret }}"}
    generated: {name: generated, values: {password: "{{ secret }}"}}
    patch: {target: {kind: Secret, name: in-place}, set: {stringData.other: "{{ other }}"}}
    entry: &entry
      name: secretive
      namespace: NAMESPACE
      source: {inline: ["{{ in_place }}"]}
      secrets: ["{{ generated }}"]
      patches: ["{{ patch }}"]
  module_defaults:
    group/hearth.cluster.kube: {kubeconfig: "KUBECONFIG"}
  tasks:
    - name: Install
      hearth.cluster.package: *entry
      register: installed
    - name: Install from a list, with other values
      hearth.cluster.package:
        packages:
          - name: secretive
            namespace: NAMESPACE
            source: {inline: ["{{ in_place | combine({'stringData': {'password': other}}) }}"]}
            secrets: ["{{ generated }}"]
    - name: Fail with an option that does not exist
      hearth.cluster.package:
        packages: ["{{ entry | combine({'sekrets': [generated]}) }}"]
      ignore_errors: true
    - name: Fail with what the server refuses
      hearth.cluster.package:
        name: refused
        namespace: NAMESPACE
        source: {inline: ["{{ in_place | combine(docker, {'metadata': {'name': 'refused'}}) }}"]}
      vars:
        docker: {type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: "{{ secret }}"}}
      ignore_errors: true
      register: refused
    - name: Fail with a misfit
      hearth.cluster.package:
        name: misfit
        namespace: NAMESPACE
        source: {inline: ["{{ in_place | combine(broken) }}"]}
      vars:
        broken: {metadata: {name: misfit}, stringData: ["{{ secret }}"], stringdata: "{{ secret }}"}
      ignore_errors: true
      register: misfit
    - name: Patch the Secret by merge
      hearth.cluster.object_patch:
        kind: Secret
        namespace: NAMESPACE
        name: in-place
        merge: {stringData: {password: "{{ secret }}"}}
    - name: Patch it by operations
      hearth.cluster.object_patch:
        kind: Secret
        namespace: NAMESPACE
        name: in-place
        json: [{op: replace, path: /data/password, value: "{{ other | b64encode }}"}]
    - name: Look at it
      hearth.cluster.package_info: {exact: true}
      register: info
    - name: Fail with a patch that the server refuses
      hearth.cluster.object_patch:
        kind: Secret
        namespace: NAMESPACE
        name: in-place
        set: {data.password: "{{ secret }}"}
      ignore_errors: true
      register: unpatched
    - name: Fail with a patch that meets nothing
      hearth.cluster.object_patch:
        kind: Secret
        namespace: NAMESPACE
        name: nobody
        merge: {stringData: {password: "{{ secret }}"}}
      ignore_errors: true
    - name: Use what lookups return
      ansible.builtin.assert:
        that:
          - rendered | length == 3
          - live | length == 1
          - "'could quote secret values' in refused.msg"
          - "'could quote secret values' in misfit.msg"
          - "'could quote secret values' in unpatched.msg"
          - info.packages[0].drifted
        quiet: true
      vars:
        rendered: "{{ query('hearth.cluster.package', entry, kubeconfig='KUBECONFIG') }}"
        live: "{{ query('hearth.cluster.objects', 'Secret', name='in-place', **place) }}"
        place: {namespace: NAMESPACE, kubeconfig: KUBECONFIG}
    - name: Fail in a lookup
      ansible.builtin.debug:
        msg: "{{ query('hearth.cluster.package', entry | combine({'sekrets': [generated]}), kubeconfig='KUBECONFIG') }}"
      ignore_errors: true
    - name: Fail in the other lookup
      ansible.builtin.debug:
        msg: "{{ query('hearth.cluster.objects', 'Secret', query='[].data.password.none(@)', **place) }}"
      vars:
        place: {namespace: NAMESPACE, kubeconfig: KUBECONFIG}
      ignore_errors: true
"""


class Watch:
    """Reads the argument lists of all processes for as long as the block lasts."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._ended = threading.Event()

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self.seen.add((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))


def found_in(text: str) -> list[str]:
    """The lines that show a secret, with stars in its place."""
    found = (line for line in text.splitlines() if any(secret in line for secret in SIGNS))
    return [re.sub("|".join(map(re.escape, SIGNS)), "***", line)[:300] for line in found]


def files_below(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "secret.yml":
            yield str(path.relative_to(folder)), path.read_bytes().decode(errors="replace")


@pytest.fixture
def run(tmp_path: Path, kubeconfig: Path, namespace: str) -> Any:
    (tmp_path / "secret.yml").write_text(json.dumps({"secret": SECRET, "other": OTHER}))
    play = PLAY.replace("NAMESPACE", namespace).replace("KUBECONFIG", str(kubeconfig))
    (tmp_path / "play.yml").write_text(play)
    places = {
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "tmp"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "ANSIBLE_LOG_PATH": str(tmp_path / "ansible.log"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()

    def run_play(*arguments: str) -> tuple[str, Watch]:
        program = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml", "--diff", "-vvv", *arguments]
        extra = {key: value for key, value in environment(**places).items() if key != "ANSIBLE_VAULT_PASSWORD_FILE"}
        with Watch() as watch:
            done = subprocess.run(
                program, cwd=tmp_path, env=extra, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
            )
        output = done.stdout + done.stderr
        assert done.returncode == 0, output[-6000:].replace(SECRET, "***").replace(OTHER, "***")
        return output, watch

    return run_play


def test_a_secret_is_found_nowhere(run: Any, tmp_path: Path, api_server: ApiServer, namespace: str) -> None:
    output, watch = run()
    assert "(hidden" in output, "the secrets were not even shown as changed"
    assert found_in(output) == []
    assert any("ansible-playbook" in arguments for arguments in watch.seen), "the search found no process"
    assert [arguments for arguments in watch.seen if found_in(arguments)] == []
    assert {name: found_in(text) for name, text in files_below(tmp_path) if found_in(text)} == {}

    public = "configmaps,deployments,events,endpoints,serviceaccounts,pods,leases"
    assert found_in(api_server.kubectl("get", public, "--all-namespaces", "--output=yaml")) == []
    secrets = json.loads(api_server.kubectl("get", "secrets", "-n", namespace, "--output=json"))["items"]
    assert [each["metadata"]["name"] for each in secrets if found_in(json.dumps(each["metadata"]))] == []
    assert [each for each in secrets if found_in(json.dumps(each["data"]))], "the secrets are not even in the cluster"
    own = json.loads(api_server.kubectl("get", "secrets", "-n", "kube-system", "--output=json"))["items"]
    for each in own:
        raw = {key: base64.b64decode(value) for key, value in (each.get("data") or {}).items()}
        assert found_in(json.dumps(each) + "".join(value.decode(errors="replace") for value in raw.values())) == []
        if each["metadata"]["name"] == "hearth-secretive":
            assert found_in(gzip.decompress(raw["release"]).decode()) == []


def test_the_search_finds_what_is_there(run: Any, tmp_path: Path) -> None:
    (tmp_path / "tmp" / "planted").write_text(f"x{ENCODED[0]}")
    (tmp_path / "play.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  vars_files: [secret.yml]\n"
        "  tasks: [{ansible.builtin.command: {argv: [sh, -c, 'sleep 0.5; : {{ secret }}']}}]\n"
    )
    output, watch = run()
    assert found_in(output)
    assert [arguments for arguments in watch.seen if found_in(arguments)]
    assert "tmp/planted" in {name for name, text in files_below(tmp_path) if found_in(text)}
    assert (tmp_path / "ansible.log").exists()
