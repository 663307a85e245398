# The service in app/ on a slim Python. `nox -s build` builds it; any `docker build .` does too.
# Builders without BuildKit can't do cache mounts: the pipeline takes those out for them, so nothing else here may need BuildKit.
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS builder
ARG UV_VERSION=0.13.9
# Copies instead of hard links into the cache, which is on another file system; the interpreter of the base image and no other.
ENV UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/venv \
    PYTHONHASHSEED=0 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --no-compile "uv==${UV_VERSION}"
COPY pyproject.toml uv.lock ./
# One process in the order of the names: what several write at once differs from build to build. Bytecode that is never
# checked needs no timestamps, and a read-only root file system could not write any later. All files get one fixed time, so that
# the layer of the dependencies is the same, byte for byte, until the lockfile changes: a new commit pushes and pulls only its code.
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --locked --no-install-project --only-group app \
    && python -m compileall -q -j 1 --invalidation-mode unchecked-hash /opt/venv/lib \
    && find /opt -exec touch -h -d @315532800 {} +
COPY app /srv/app
# Alembic's settings are in pyproject.toml.
RUN cp pyproject.toml /srv/ \
    && python -m compileall -q -j 1 --invalidation-mode unchecked-hash /srv/app \
    && find /srv -exec touch -h -d @315532800 {} +

FROM python:${PYTHON_VERSION}-slim AS runtime
COPY --from=builder /opt /opt
COPY --from=builder /srv /srv
WORKDIR /srv
ARG SERVICE_VERSION=0.0.0
ARG SERVICE_REVISION=unknown
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SERVICE_VERSION=${SERVICE_VERSION} \
    SERVICE_REVISION=${SERVICE_REVISION}
LABEL org.opencontainers.image.title="shortener" \
      org.opencontainers.image.description="A URL shortener on PostgreSQL and Redis" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${SERVICE_VERSION}" \
      org.opencontainers.image.revision="${SERVICE_REVISION}"
# A number, so that a cluster can see that it is not root; the same as in kubernetes/base.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Only the process itself: an engine that restarts what is unhealthy must not do so because the database is away.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8000') + '/health/live', timeout=2)"]
CMD ["python", "-m", "app"]
