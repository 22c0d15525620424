# The server, its dependencies and nothing else: no installer, no compiler, no root.
# docs/deployment.md#containers says how to run it; compose.yaml does.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/kataven-flask
COPY requirements-server.lock ./
RUN /opt/kataven-flask/bin/pip install --require-hashes --requirement requirements-server.lock
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY static static
COPY kataven_flask kataven_flask
RUN /opt/kataven-flask/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist .
# What only builds stays behind.
RUN /opt/kataven-flask/bin/pip install --no-index --no-deps /dist/kataven_flask-*.whl \
 && /opt/kataven-flask/bin/pip uninstall --yes \
      hatch-fancy-pypi-readme hatchling pathspec pluggy tomlkit trove-classifiers setuptools pip

FROM python:${PYTHON}-slim
# The image of Python brings an installer.
RUN python -m pip uninstall --yes pip setuptools wheel \
 && rm -r /usr/local/lib/python3.*/ensurepip
RUN groupadd --gid 10001 kataven \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/kataven-flask \
      --shell /usr/sbin/nologin kataven \
 && install -d -m 700 -o 10001 -g 10001 /var/lib/kataven-flask
COPY --from=build /opt/kataven-flask /opt/kataven-flask
ENV PATH=/opt/kataven-flask/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    KATAVEN_CONFIG=/etc/kataven-flask/tenants.yaml \
    KATAVEN_INSTANCE=/var/lib/kataven-flask \
    KATAVEN_LISTEN=0.0.0.0:8000
USER 10001:10001
VOLUME ["/var/lib/kataven-flask"]
EXPOSE 8000
STOPSIGNAL SIGTERM
# Whether it lives. Whether its Redis does, /readyz says: no reason to start this one anew.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s \
  CMD ["python", "-I", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('localhost', os.environ['KATAVEN_LISTEN'].rpartition(':')[2], timeout=3); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["kataven-flask"]
CMD ["serve"]
