# The daemon alone: no sandbox, no tests. Both stages install from the locks, hashes checked.
#   docker build -t jada-orchestrator .
#   docker run --env AWS_REGION --env ANTHROPIC_API_KEY --volume jada:/var/lib/jada jada-orchestrator
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
RUN python -m venv /opt/jada && python -m venv /opt/builder
COPY requirements/run.lock requirements/build.lock requirements/
RUN /opt/jada/bin/pip install --require-hashes --requirement requirements/run.lock \
 && /opt/builder/bin/pip install --require-hashes --requirement requirements/build.lock
COPY . .
RUN /opt/builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/jada/bin/pip install --no-deps dist/*.whl

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/jada --shell /usr/sbin/nologin jada \
 && install --directory --owner=jada --group=jada --mode=0750 /var/lib/jada
COPY --from=build /opt/jada /opt/jada
COPY config /etc/jada
ENV PATH=/opt/jada/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    JADA_CATALOGUE=/etc/jada/agents \
    JADA_STORE=sqlite:///var/lib/jada/journal.db \
    JADA_LOG=json
USER jada
WORKDIR /var/lib/jada
VOLUME /var/lib/jada
# SIGTERM drains: `docker stop --time` has to allow for the drain's bound.
STOPSIGNAL SIGTERM
ENTRYPOINT ["jada"]
CMD ["run"]
