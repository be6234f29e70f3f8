"""ConfigMaps and Secrets that a pod template reads: which they are, what they hold, and a version's own copies. No I/O.

A version is judged as it is. If a ConfigMap changed under its pods, those that start later would be another version
with the same name, and a rollback could not bring the old content back. So each version reads copies that never change,
named by a hash of what is in them, and the template that its pods run says their names.

Copies belong to the version's ControllerRevision and go with it, by Kubernetes' garbage collection: no right to delete
a Secret is needed.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from seatrial.kube.workloads import MANAGED_BY, labels_of, name_of
from seatrial.rollout.versions import Content, Reference, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOURCE_ANNOTATION = "seatrial.dev/copy-of"
HELD = ("data", "binaryData")

Slot = tuple[dict[str, Any], str, Reference]
"""Where a template names a ConfigMap or Secret: the dictionary, the key in it, and what is named."""


def references(template: Mapping[str, Any]) -> frozenset[Reference]:
    """Find the ConfigMaps and Secrets whose content reaches the containers of a pod template.

    These are volumes (also projected ones), ``envFrom`` and ``valueFrom``. What the kubelet or a storage driver uses
    for itself (``imagePullSecrets``, secrets of volume drivers) is no part of a version.

    Parameters
    ----------
    template
        PodTemplateSpec, raw. Parts that are not of the shape that Kubernetes asks for are left to the API server.

    Returns
    -------
    frozenset of Reference
        Each object once; optional only if every place that names it says so.
    """
    found: dict[tuple[str, str], bool] = {}
    for _, _, reference in _slots(template):
        key = (reference.kind, reference.name)
        found[key] = found.get(key, True) and reference.optional
    return frozenset(Reference(kind, name, optional) for (kind, name), optional in found.items())


def rewritten(template: Mapping[str, Any], names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """Copy a pod template and let it name other ConfigMaps and Secrets.

    Parameters
    ----------
    template
        PodTemplateSpec, raw.
    names
        New name by kind and old name; others stay.
    """
    copied = copy.deepcopy(dict(template))
    for holder, key, reference in _slots(copied):
        holder[key] = names.get((reference.kind, reference.name), reference.name)
    return copied


def copy_name(owner: Mapping[str, Any], version: str, content: Content) -> str:
    """Name a version's copy: by version, so that it goes with it, and by content."""
    return f"{name_of(owner, version)}-{content.hash}"


def content_of(reference: Reference, live: Mapping[str, Any] | None) -> Content:
    """Hash what a ConfigMap or Secret holds; an optional one that isn't there has a content too: none."""
    held = {key: live.get(key) or {} for key in HELD} if live else None
    return Content(reference.kind, reference.name, fingerprint([reference.kind, reference.name, held]), bool(live))


def copy_of(
    revision: Mapping[str, Any], owner: Mapping[str, Any], version: str, live: Mapping[str, Any]
) -> dict[str, Any]:
    """Build a version's copy of a ConfigMap or Secret.

    Parameters
    ----------
    revision
        The version's ControllerRevision as the API server returned it: it owns the copy.
    owner
        The ModelDeployment, raw.
    version
        Hash of the version.
    live
        The ConfigMap or Secret, raw, with its ``kind``.
    """
    kind, name = live["kind"], live["metadata"]["name"]
    content = content_of(Reference(kind, name), live)
    manifest = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {
            "name": copy_name(owner, version, content),
            "namespace": owner["metadata"]["namespace"],
            "labels": {**MANAGED_BY, **labels_of(owner, version)},
            "annotations": {SOURCE_ANNOTATION: name},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ControllerRevision",
                    "name": revision["metadata"]["name"],
                    "uid": revision["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "immutable": True,
        **{key: live[key] for key in HELD if live.get(key)},
    }
    # The type of a Secret asks for keys or makes controllers act on it (service account tokens); pods don't read it.
    return {**manifest, "type": "Opaque"} if kind == "Secret" else manifest


def _slots(template: Mapping[str, Any]) -> Iterator[Slot]:
    """Find every place of a template that names a ConfigMap or Secret."""
    spec = _dict(template.get("spec"))
    for volume in _dicts(spec.get("volumes")):
        yield from _volume_slots(volume)
        for source in _dicts(_dict(volume.get("projected")).get("sources")):
            yield from _named(source, "configMap", "ConfigMap")
            yield from _named(source, "secret", "Secret")
    for container in (*_dicts(spec.get("initContainers")), *_dicts(spec.get("containers"))):
        for source in _dicts(container.get("envFrom")):
            yield from _named(source, "configMapRef", "ConfigMap")
            yield from _named(source, "secretRef", "Secret")
        for variable in _dicts(container.get("env")):
            origin = _dict(variable.get("valueFrom"))
            yield from _named(origin, "configMapKeyRef", "ConfigMap")
            yield from _named(origin, "secretKeyRef", "Secret")


def _volume_slots(volume: Mapping[str, Any]) -> Iterator[Slot]:
    yield from _named(volume, "configMap", "ConfigMap")
    yield from _named(volume, "secret", "Secret", key="secretName")


def _named(holder: Mapping[str, Any], field: str, kind: str, key: str = "name") -> Iterator[Slot]:
    named = holder.get(field)
    if isinstance(named, dict) and isinstance(named.get(key), str) and named[key]:
        yield named, key, Reference(kind, named[key], optional=named.get("optional") is True)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
