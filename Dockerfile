# The daemon, small and without rights. Both stages install from the locks, hashes checked.
#   docker build -t jada-orchestrator .                             # or: make image (docker, podman or buildah)
#   docker run --env AWS_REGION --env ANTHROPIC_API_KEY --volume jada:/var/lib/jada --stop-timeout 60 jada-orchestrator
# With the local stand-ins in it, for demo and sandbox (deploy/compose.yaml):
#   docker build -t jada-orchestrator:sandbox --build-arg LOCK=sandbox .
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ARG LOCK=run
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
RUN python -m venv /opt/jada && python -m venv /opt/builder
COPY requirements/${LOCK}.lock requirements/build.lock requirements/
RUN /opt/jada/bin/pip install --require-hashes --requirement requirements/${LOCK}.lock \
 && /opt/builder/bin/pip install --require-hashes --requirement requirements/build.lock
COPY . .
RUN /opt/builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/jada/bin/pip install --no-deps dist/*.whl

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/jada --shell /usr/sbin/nologin jada \
 && install --directory --owner=jada --group=jada --mode=0750 /var/lib/jada
COPY --from=build /opt/jada /opt/jada
COPY config /etc/jada
ENV PATH=/opt/jada/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONFAULTHANDLER=1 \
    JADA_CATALOGUE=/etc/jada/agents \
    JADA_STORE=sqlite:///var/lib/jada/journal.db \
    JADA_LOG=json
# By number, so that a cluster that refuses root can see that this is not.
USER 10001:10001
WORKDIR /var/lib/jada
VOLUME /var/lib/jada
# Asks the daemon over its control socket; not well means: it accepts nothing.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["jada", "status"]
# SIGTERM drains within drain_seconds (25): give `docker stop --time` 30 at least.
STOPSIGNAL SIGTERM
ENTRYPOINT ["jada"]
CMD ["run"]
