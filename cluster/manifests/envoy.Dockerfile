# Envoy for kind, whose Docker has a base with a C library.
ARG BASE=python:3.11-slim
FROM ${BASE}
COPY envoy/_bin/envoy /usr/local/bin/envoy
ENTRYPOINT ["/usr/local/bin/envoy"]
