"""A local, real Kubernetes for Seatrial's demo, tests and benchmarks.

Three levels, from most to least real: ``kind`` (Docker), ``node`` (a single-node cluster in Linux namespaces of its
own, built from Go modules) and ``control-plane`` (API server and controllers as plain processes; pods and traffic are
simulated).
"""
