# The image of `roost run`, `roost extend` and all other commands. Everything that is installed is pinned by hash in
# requirements/run.txt; Roost itself is pure Python and is copied, so no build tool is fetched.
#
#   make build IMAGE=REGISTRY/roost:0.1.0
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/roost:0.1.0 --push .
#
# All dependencies have wheels for amd64 and arm64 (glibc), hence a slim Debian base and not Alpine.
FROM python:3.13-slim AS build
COPY requirements/run.txt /tmp/run.txt
RUN python -m venv --without-pip /opt/roost \
    && pip --python /opt/roost/bin/python install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/run.txt
COPY src/roost /opt/roost/lib/python3.13/site-packages/roost
COPY benchmarks/workloads /opt/roost/lib/python3.13/site-packages/roost/bench/workloads
# The root file system is read-only at run time: bytecode has to be there already.
RUN /opt/roost/bin/python -m compileall -q /opt/roost/lib/python3.13/site-packages/roost

FROM python:3.13-slim
COPY --from=build /opt/roost /opt/roost
ENV PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["/opt/roost/bin/python", "-m", "roost"]
CMD ["run"]
