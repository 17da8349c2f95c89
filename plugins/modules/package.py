#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package
short_description: Install, change, update and remove sets of Kubernetes objects
version_added: 0.1.0
author:
  - The hearth.cluster maintainers (@hearth-cluster)
description:
  - Takes the objects of a package from its source, customises them, sends what differs to the API server in an order
    that works, deletes what is no longer part of the package, and watches until everything is healthy.
  - All of it is one run of the module, for one package or for many, which are carried out at the same time as far as
    they do not depend on each other. A package that fails stops those that depend on it and no other. A run that has
    nothing to change takes a fraction of a second per package and writes nothing.
  - Objects are written by server-side apply under the field manager C(hearth). What was written is on record in the
    cluster, in a Secret C(kube-system/hearth-NAME) that is also the parent of an ApplySet. The rendered objects of the
    last releases lie in Secrets beside it, the values of their Secrets included, so that one can go back to them.
  - Of two runs that would change the same package at the same time, one waits for the other.
  - The user of the kubeconfig may do with the kinds of a package what C(get), C(list), C(watch), C(create) and C(patch)
    mean, C(delete) where something is removed, and all of that with Secrets and Leases in C(kube-system). Rights that
    are missing are told before anything is changed.
  - Changes that were made by hand with tools such as C(kubectl) are taken back; fields that a controller owns are a
    conflict, unless O(force) is set.
extends_documentation_fragment:
  - hearth.cluster._kube
  - hearth.cluster._kube.attributes
attributes:
  check_mode:
    support: full
    description:
      - Shows the plan that a run would carry out. The server predicts it by dry run, so nothing is written.
      - What the server cannot predict, because a namespace or the definition of a kind is made in the same run, is
        shown as it would be sent.
  diff_mode:
    support: full
    description: Returns what changes in each object. Values of Secrets are replaced by words that still show a change.
  idempotent:
    support: full
    description: When run twice in a row with the same arguments, the second run does not change anything.
options:
  packages:
    description:
      - Several packages, each a mapping with the options of this module that describe a package, from O(name) to
        O(recreate), and with C(depends_on), a list of names of packages that must be there first.
      - Mutually exclusive with O(name).
    type: list
    elements: dict
  only:
    description: Names among O(packages) to look at; the others are checked for mistakes and left alone.
    type: list
    elements: str
    default: []
  search_path:
    description:
      - Folders of the controller in which relative directories of a source are looked for. The first that has it wins.
      - The current folder by default.
    type: list
    elements: path
    default: []
  lock_file:
    description:
      - The file that keeps the digest of everything that was downloaded; it belongs into the operator's repository.
      - What is fetched for the first time is written down there. Afterwards an address that gives other bytes is an
        error, and a file that was fetched before needs no network.
      - Without it every run downloads and nothing is verified.
    type: path
  mirrors:
    description:
      - Where to download instead, by the beginning of an address, from a folder of the controller or another server.
      - The lock file keeps the original address, so that a mirror cannot give anything else.
    type: dict
    default: {}
  progress_file:
    description:
      - A file to which lines are appended that say how far the run is.
      - Where the module runs on the controller its action plugin sets this, and shows the lines while the module runs.
    type: path
  name:
    description: The name of the package. It is what the cluster remembers it by, so it must not change.
    type: str
  state:
    description:
      - V(present) installs or updates.
      - V(absent) removes all objects of the package; no source is needed. Namespaces, definitions of kinds and volumes
        stay unless O(prune_also) names them.
      - V(previous) goes back to the release before the newest one, the last that was seen healthy if there is one. What
        is put back is what was sent then, as it is kept in the cluster; nothing is fetched or rendered, and no source
        is needed. Who has gone back already stays there, until V(present) brings another release.
      - The default is V(present).
    type: str
    choices: [present, absent, previous]
  source:
    description:
      - Where the objects come from; exactly one of the following.
      - C(directory) is a folder of the controller, relative ones below O(search_path). All files that end with
        C(.yaml), C(.yml) or C(.json) are read, in subfolders too, unless C(files) lists patterns to take.
      - C(url) is one address or several of YAML files or archives (tar, zip); C({version}) in it is replaced by
        C(version). C(files) are patterns inside of archives.
      - C(github) is C(OWNER/NAME), with C(version) (a tag) and with C(files) of the repository, with C(assets) of the
        release, or with both. Where an asset is an archive, C(files) are patterns inside of it.
      - C(git) is the address of a git repository, with C(version) (a tag, a branch or a commit) and C(files), patterns
        of what to take. The commit is pinned in O(lock_file). Needs the program C(git).
      - C(oci) is the address of an artifact in a registry, C(oci://HOST/NAME), with C(version) (a tag or a digest) and
        C(files), patterns of what to take. A login that docker, podman or helm remember is used.
      - C(helm) is the address of a repository of charts, V(https://...) or V(oci://...), with C(chart) and C(version),
        which may be a range. C(chart=PATH) beside C(directory), C(git), C(oci) or archives renders a chart that lies
        among those files. Charts are rendered by Helm's own engine, from the Python library C(helm-python-sdk) or the
        program C(helm), for the cluster's version and kinds.
      - What a chart makes up (passwords, certificates) is found by rendering it twice; Secrets of that sort, and
        webhooks that fit to them, are made once and kept. Hooks of a chart run before and after its other objects,
        those for upgrades again whenever the chart or its values change, those for a rollback with O(state=previous).
        Those for a removal are kept in the cluster with the release, run before and after everything else is deleted
        and are then deleted as well; one that fails stops the removal, and with O(wait=false) they are left out. Hooks
        that test do not run. Definitions of kinds in C(crds/) are updated like all other objects.
      - Objects can be built from the files of C(directory), C(git), C(oci) or archives. C(kustomize) is the path of a
        kustomization among them (needs the program C(kustomize) or C(kubectl)), C(jsonnet) a file (needs the Python
        library C(rjsonnet)), C(ytt) a path or a list of paths (needs the program C(ytt)). What a kustomization would
        fetch by itself is refused, because it cannot be pinned.
      - C(inline) is YAML text, or a list of objects, in place.
    type: dict
  values:
    description:
      - Values for a source that is a template. A mapping, the name of a file below O(search_path) that holds one, or a
        list of both, of which later ones win.
      - For C(jsonnet) each of them is an external variable, for C(ytt) they are data values.
    type: raw
  namespace:
    description:
      - Put every object that has a namespace into this one, whatever its manifest says.
      - It is made when it is missing. If the package made it, O(prune_also) can name it for the time it is removed.
    type: str
  labels:
    description: Labels to add to every object and to the pods it makes. Selectors stay as they are.
    type: dict
  annotations:
    description: Annotations to add to every object and to the pods it makes.
    type: dict
  images:
    description:
      - Images to replace, by name without tag. The new value is a whole image, or only C(:tag), or only C(@digest).
      - A name that no container uses is an error.
    type: dict
  replicas:
    description: The number of replicas of workloads, by their names.
    type: dict
  config_maps:
    description:
      - ConfigMaps to make, each with C(name), and with C(files) (patterns below the directory of the source), with
        C(values) (a mapping), or with both.
      - A digest of the content is appended to the name and references in other objects are rewritten, so that changed
        content replaces the pods that use it. C(hash=false) keeps the plain name.
    type: list
    elements: dict
  secrets:
    description: Secrets to make, described like O(config_maps), and with C(type) where it is not C(Opaque).
    type: list
    elements: dict
  patches:
    description:
      - Changes to objects, in order. Each has exactly one of C(merge) (strategic merge by the real merge keys),
        C(json) (a list of RFC 6902 operations), C(set) (values by dotted path) and C(remove=true).
      - C(target) says which objects, by anchored regular expressions over C(group), C(version), C(kind), C(name) and
        C(namespace). C(where) is a JMESPath expression that must hold for the object.
      - A patch that meets no object is an error.
    type: list
    elements: dict
  wait:
    description: Wait until everything is healthy, and fail with the reason as soon as it cannot become so.
      The default is V(true).
    type: bool
  wait_timeout:
    description:
      - How many seconds to wait for health, 300 by default.
      - As long may deleted objects take until the next one of them is gone.
    type: int
  healthy:
    description:
      - When objects are healthy, in place of the rules of their kinds. Each entry has a C(target), as in O(patches),
        that must meet an object, and exactly one of C(where) and C(condition).
      - C(where) is a JMESPath expression that is true of a healthy object, C(condition) is the type of a condition of
        its status, as in C(Ready) or C(Stalled=False). All entries that are about an object must hold.
      - C(failed) is a JMESPath expression that is true where waiting longer cannot help.
    type: list
    elements: dict
  prune:
    description: Delete objects that are no longer part of the package. The default is V(true).
    type: bool
  prune_also:
    description:
      - Objects that are deleted like all others although they hold other things.
      - Namespaces, CustomResourceDefinitions, PersistentVolumes and PersistentVolumeClaims are deleted only if they are
        named here, as C(kind) or C(kind/name).
    type: list
    elements: str
  force:
    description:
      - Take over fields that other managers own. V(true) takes all of them, V(false), the default, none.
      - A list takes only what it names. Each entry has C(manager), a name in which C(*) stands for anything, or
        C(fields), a list of paths such as C(.spec.replicas) that cover what is inside of them, or both.
      - Conflicts in other fields stop the run before anything is changed. The message names fields and managers in the
        words that are understood here.
      - Two kinds of fields are left to others without being asked. Certificates of webhooks (C(caBundle)) belong to who
        fills them in, and C(.spec.replicas) belongs to an autoscaler.
    type: raw
  recreate:
    description:
      - Delete and make anew what cannot be changed, also where pods or addresses are gone in between.
      - Jobs, bindings and classes, where nothing is lost, and StatefulSets, whose pods run on, need no permission.
        The volumes of a StatefulSet grow first if its templates do.
      - The default is V(false).
    type: bool
  on_failure:
    description:
      - V(rollback) puts the release before back when a new one cannot be applied or does not become healthy in time.
        The task fails nevertheless, and says so.
      - V(stop) leaves the cluster as it is then, to be looked at. It is the default.
    type: str
    choices: [stop, rollback]
"""

EXAMPLES = r"""
- name: Install the manifests of a folder
  hearth.cluster.package:
    name: blog
    source:
      directory: packages/blog
    namespace: blog

- name: See what would change, and nothing else
  hearth.cluster.package:
    name: blog
    source:
      directory: packages/blog
    namespace: blog
  check_mode: true
  diff: true

- name: Change what upstream delivers
  hearth.cluster.package:
    name: web
    source:
      directory: vendor/web
    images:
      nginx: ":1.29"
    patches:
      - target: {kind: Deployment, name: web}
        merge: {spec: {template: {spec: {nodeSelector: {disk: ssd}}}}}
      - where: kind == 'Service'
        set: {spec.type: LoadBalancer}

- name: Wait until a database says that it is healthy
  hearth.cluster.package:
    name: postgresql
    source:
      directory: packages/postgresql
    healthy:
      - target: {kind: Cluster, group: postgresql.cnpg.io}
        where: status.phase == 'Cluster in healthy state'
        failed: contains(status.phase, 'unrecoverable')
    wait_timeout: 900

- name: Install a release of an upstream project, pinned by its digest
  hearth.cluster.package:
    name: metallb
    source:
      github: metallb/metallb
      version: v0.16.1
      files: [config/manifests/metallb-native.yaml]
    lock_file: "{{ inventory_dir }}/hearth.lock.yml"

- name: Install a chart, with values from a file and from the vault
  hearth.cluster.package:
    name: grafana
    source:
      helm: https://grafana.github.io/helm-charts
      chart: grafana
      version: 10.1.0
    namespace: grafana
    values:
      - packages/grafana.yaml
      - adminPassword: "{{ grafana_password }}"
    lock_file: "{{ inventory_dir }}/hearth.lock.yml"

- name: Give a database its password from the vault
  hearth.cluster.package:
    name: postgresql
    source:
      directory: packages/postgresql
    namespace: postgresql
    secrets:
      - name: postgresql
        values:
          password: "{{ postgresql_password }}"

- name: Install everything that the repository lists
  module_defaults:
    group/hearth.cluster.kube:
      kubeconfig: ~/.kube/hearth
  hearth.cluster.package:
    packages: "{{ hearth_packages }}"
    search_path: ["{{ inventory_dir }}"]

- name: Decide about the replicas, whatever another controller set, and about nothing else
  hearth.cluster.package:
    name: blog
    source:
      directory: packages/blog
    force:
      - manager: scaler-*
        fields: [.spec.replicas]

- name: Take a new version only if it becomes healthy
  hearth.cluster.package:
    name: blog
    source:
      directory: packages/blog
    on_failure: rollback

- name: Go back to what was there before the last change
  hearth.cluster.package:
    name: blog
    state: previous

- name: Remove a package with its namespace
  hearth.cluster.package:
    name: blog
    state: absent
    prune_also: [Namespace/blog]
"""

RETURN = r"""
message:
  description: What happened, in one line.
  returned: success
  type: str
  sample: "blog: 2 updated, 5 unchanged"
packages:
  description: Every package that was looked at, each behind those it depends on, otherwise as they are listed.
  returned: always, except when the options or the packages contradict each other
  type: list
  elements: dict
  contains:
    name:
      description: The name of the package.
      type: str
    state:
      description: The state that was asked for.
      type: str
    changed:
      description: Whether anything of this package was changed, or would be in check mode.
      type: bool
    release:
      description: The number of the release that is in the cluster, or would be in check mode; 0 for none.
      type: int
    failed:
      description: Whether this package failed, or was not tried because one that it depends on failed.
      type: bool
    message:
      description: What happened to this package, in one line; why it failed, if it did.
      type: str
    counts:
      description: How many objects there are of each step.
      type: dict
      sample: {create: 0, update: 2, recreate: 0, adopt: 0, keep: 5, prune: 0, conflict: 0}
    objects:
      description: Every object of the package and what was due for it.
      type: list
      elements: dict
      contains:
        step:
          description: One of C(create), C(update), C(recreate), C(adopt), C(keep) and C(prune).
          type: str
        group:
          description: The API group, empty for the core group.
          type: str
        kind:
          description: The kind.
          type: str
        namespace:
          description: The namespace, empty for kinds that have none.
          type: str
        name:
          description: The name.
          type: str
        fields:
          description: The fields that change.
          type: list
          elements: str
        reason:
          description: Why, where that is not plain.
          type: str
conflicts:
  description: Fields that other managers own.
  returned: when fields are in conflict
  type: list
  elements: dict
  sample: [{object: Deployment blog/web, field: .spec.replicas, manager: kube-controller-manager}]
rolled_back_to:
  description: The number of the release that was put back, because O(on_failure) asks for it.
  returned: when a release failed and the one before is in the cluster again
  type: int
reason:
  description: A stable word for the kind of failure, for example V(conflict), V(timeout), V(forbidden), V(unreachable).
  returned: when the API server refuses, or objects do not become healthy
  type: str
"""

from ..module_utils._faces import DiscreetModule, reporting_errors
from ..module_utils._kube.options import CONNECTION, reporter_for
from ..module_utils._package.package import read_packages
from ..module_utils._package.result import failure_of, result_of
from ..module_utils._package.secrecy import secret_values
from ..module_utils._package.spec import (
    PACKAGE,
    RUN,
    entries_of,
    installer_for,
)
from ..module_utils._package.together import run_together


def main() -> None:
    module = DiscreetModule(
        argument_spec={**CONNECTION, **PACKAGE, **RUN},
        mutually_exclusive=[("packages", "name")],
        required_one_of=[("packages", "name")],
        supports_check_mode=True,
        no_log=True,  # the options can hold secrets, which must not reach the system's log
    )
    entries = entries_of(module.params)
    module.no_log_values |= secret_values(entries)
    with reporting_errors(module):
        packages = read_packages(entries, only=module.params["only"])
        report = reporter_for(module.params, module.no_log_values)
        installer = installer_for(module.params, check=module.check_mode, report=report)
        outcomes = run_together(installer, packages)
        result = result_of(outcomes, check=module.check_mode, with_diff=module._diff)
        failure = failure_of(outcomes, result)
        if failure:
            raise failure
    module.exit_json(**result)


if __name__ == "__main__":
    main()
