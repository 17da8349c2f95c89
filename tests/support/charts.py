# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts of the tests' own, small enough to be read, and a repository that has them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.hearth.cluster.plugins.module_utils._package.sources.archive import pack

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-web
  labels: {chart: "{{ .Chart.Name }}-{{ .Chart.Version }}"}
  annotations: {}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations:
        checksum/secret: {{ include (print $.Template.BasePath "/secret.yaml") . | sha256sum }}
    spec:
      containers: [{name: web, image: "{{ .Values.image }}"}]
"""
_SECRET = """\
{{- $old := lookup "v1" "Secret" .Release.Namespace "shop" -}}
apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData:
  password: {{ .Values.password | default (randAlphaNum 20) | quote }}
"""
_SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data:
  kube: {{ .Capabilities.KubeVersion.Version | quote }}
  monitored: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor" | quote }}
  own: {{ .Capabilities.APIVersions.Has "example.org/v1/Shop" | quote }}
  release: "{{ .Release.Name }} in {{ .Release.Namespace }}"
  installs: {{ .Release.IsInstall | quote }}
{{- with .Values.extra }}
  extra: {{ . | toJson | quote }}
{{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: elsewhere, namespace: kube-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: extension-apiserver-authentication-reader}
subjects: [{kind: ServiceAccount, name: default, namespace: "{{ .Release.Namespace }}"}]
"""
_DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shops.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Shop, plural: shops, singular: shop}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
"""
_CACHE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: cache}
data: {size: {{ .Values.size | quote }}}
"""


def job(name: str, hook: str, *, weight: str = "0", image: str = "busybox:1") -> str:
    return f"""\
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  annotations:
    helm.sh/hook: {hook}
    helm.sh/hook-weight: "{weight}"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  ttlSecondsAfterFinished: 1
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: main, image: "{image}"}}]
"""


def shop(version: str = "1.2.3", **more: str) -> dict[str, bytes]:
    """A chart with a sub-chart, definitions, a random password and questions to the cluster."""
    about = f"""\
apiVersion: v2
name: shop
version: {version}
kubeVersion: ">=1.25.0-0"
dependencies:
  - {{name: cache, version: 0.1.0, repository: "https://charts.example.org", condition: cache.enabled}}
"""
    files = {
        "Chart.yaml": about,
        "values.yaml": "replicas: 1\nimage: nginx:1\npassword: ''\ncache: {enabled: true, size: 1}\n",
        "crds/shops.yaml": _DEFINITION,
        "templates/NOTES.txt": "Have fun with {{ .Release.Name }}\n",
        "templates/_helpers.tpl": '{{- define "shop.name" -}}shop{{- end -}}\n',
        "templates/deployment.yaml": _DEPLOYMENT,
        "templates/secret.yaml": _SECRET,
        "templates/settings.yaml": _SETTINGS,
        "charts/cache/Chart.yaml": "apiVersion: v2\nname: cache\nversion: 0.1.0\n",
        "charts/cache/values.yaml": "size: 9\n",
        "charts/cache/templates/cache.yaml": _CACHE,
        **more,
    }
    return {name: content.encode() for name, content in files.items() if content}


def simple(name: str, templates: Mapping[str, str], *, version: str = "1.0.0", about: str = "") -> dict[str, bytes]:
    """A chart with these templates alone."""
    described = f"apiVersion: v2\nname: {name}\nversion: {version}\n{about}"
    files = {"Chart.yaml": described, **{f"templates/{path}": text for path, text in templates.items()}}
    return {path: text.encode() for path, text in files.items()}


def archive(name: str, files: Mapping[str, bytes]) -> bytes:
    return gzip.compress(pack([(f"{name}/{path}", raw) for path, raw in files.items()]), mtime=0)


def index(*charts: tuple[str, str, bytes, str]) -> bytes:
    """The index of a repository: name, version, archive and address of every chart."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for name, version, raw, address in charts:
        digest = hashlib.sha256(raw).hexdigest()
        entry = {"name": name, "version": version, "digest": digest, "urls": [address]}
        entries.setdefault(name, []).append(entry)
    return json.dumps({"apiVersion": "v1", "entries": entries}).encode()


def lay_out(files: Mapping[str, bytes], folder: Path) -> None:
    for path, raw in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(raw)
