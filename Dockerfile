# The operator's image: a virtual environment with pinned dependencies, the package, and nothing that could build or fetch.
# The root file system is read-only, so all is compiled here; the dependencies apart, as they change less often.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /build
COPY requirements/operator.txt .
# pip works from an environment of its own, so that the one which is shipped has none.
RUN python3 -m venv pip \
    && python3 -m venv --without-pip /opt/seatrial/venv \
    && pip/bin/pip --python /opt/seatrial/venv/bin/python install --no-cache-dir --no-compile --no-deps --require-hashes \
        --only-binary :all: -r operator.txt \
    && python3 -m compileall -q -j 2 --invalidation-mode unchecked-hash /opt/seatrial/venv
COPY operator /opt/seatrial/operator
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/seatrial/operator

FROM ${BASE}
# A base that brings pip along loses it, wherever it keeps it.
RUN rm -rf /usr/bin/pip* /usr/local/bin/pip* /usr/lib/python3/dist-packages/pip* /usr/share/python-wheels \
    /usr/local/lib/python3*/site-packages/pip* /usr/lib/python3*/ensurepip /usr/local/lib/python3*/ensurepip
COPY --from=build /opt/seatrial/venv /opt/seatrial/venv
COPY --from=build /opt/seatrial/operator /opt/seatrial/operator
# glibc keeps what was freed, such as the listings of the start, unless these say otherwise (mallopt(3)).
ENV MALLOC_ARENA_MAX=1 \
    MALLOC_MMAP_THRESHOLD_=131072 \
    MALLOC_TRIM_THRESHOLD_=131072 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/seatrial/operator \
    PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/opt/seatrial/venv/bin/python", "-P", "-m", "seatrial"]
