"""The contract with users: the two kinds, their status, and the CRDs generated from them."""

GROUP = "seatrial.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
