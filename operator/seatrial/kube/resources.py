"""Where the API server keeps the objects of each kind that Seatrial reads or writes."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

OWN_API = "seatrial.dev/v1alpha1"
ADMISSION_API = "admissionregistration.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of objects."""

    api_version: str
    plural: str

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """Write the path of an object, of all objects in a namespace, or of all there are (namespace None)."""
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        parts = ["namespaces", quote(namespace, safe="")] if namespace else []
        parts += [part for part in (self.plural, quote(name, safe=""), subresource) if part]
        return "/".join([root, *parts])


RESOURCES = {
    "ModelDeployment": Resource(OWN_API, "modeldeployments"),
    "ModelSLO": Resource(OWN_API, "modelslos"),
    "Deployment": Resource("apps/v1", "deployments"),
    "ControllerRevision": Resource("apps/v1", "controllerrevisions"),
    "Service": Resource("v1", "services"),
    "Pod": Resource("v1", "pods"),
    "ConfigMap": Resource("v1", "configmaps"),
    "Secret": Resource("v1", "secrets"),
    "HorizontalPodAutoscaler": Resource("autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": Resource("policy/v1", "poddisruptionbudgets"),
    "EndpointSlice": Resource("discovery.k8s.io/v1", "endpointslices"),
    "Event": Resource("v1", "events"),
    "Lease": Resource("coordination.k8s.io/v1", "leases"),
    "Job": Resource("batch/v1", "jobs"),
    "HTTPRoute": Resource("gateway.networking.k8s.io/v1", "httproutes"),
    "ValidatingAdmissionPolicy": Resource(ADMISSION_API, "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": Resource(ADMISSION_API, "validatingadmissionpolicybindings"),
}
