# The operator's image: a virtual environment with pinned dependencies, the package, and nothing that could build or fetch.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /build
COPY requirements/operator.txt .
# pip works from an environment of its own, so that the one which is shipped has none.
RUN python3 -m venv pip \
    && python3 -m venv --without-pip /opt/seatrial \
    && pip/bin/pip --python /opt/seatrial/bin/python install --no-cache-dir --no-compile --require-hashes \
        --only-binary :all: -r operator.txt
COPY operator /opt/seatrial/operator
# The root file system is read-only: compiled here, or compiled anew at each start.
RUN python3 -m compileall -q -j 2 --invalidation-mode unchecked-hash /opt/seatrial

FROM ${BASE}
# A base that brings pip along loses it.
RUN python3 -m pip uninstall --quiet --yes --root-user-action=ignore pip setuptools wheel 2>/dev/null || true
COPY --from=build /opt/seatrial /opt/seatrial
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/seatrial/operator \
    PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/opt/seatrial/bin/python", "-P", "-m", "seatrial"]
