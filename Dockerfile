# The server of a tuned video model: `docker compose up`, or see compose.yaml.
# CUDA's base image alone: torch's own wheels bring the CUDA 13 libraries they were built with, and a second
# copy in the image would be 5 GB that nothing loads. The host needs an NVIDIA driver of 580 or newer.
FROM nvidia/cuda:13.0.1-base-ubuntu24.04 AS build

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008  # Ubuntu keeps one version of a package per release; a pinned one is gone after its fix
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

ENV VIRTUAL_ENV=/opt/nbhelpers PATH=/opt/nbhelpers/bin:$PATH
RUN python3 -m venv "$VIRTUAL_ENV" && pip install --no-cache-dir "uv==0.13.9"

WORKDIR /src
# The libraries first: they change less often than the code, and are most of the image.
COPY requirements.txt ./
RUN uv pip install --no-cache --compile-bytecode -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY nbhelpers nbhelpers
COPY checkpoints checkpoints
RUN uv pip install --no-cache --compile-bytecode --no-deps .


FROM nvidia/cuda:13.0.1-base-ubuntu24.04

# libgl1 and libglib2.0 are what OpenCV's build with windows asks for when it is imported.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 libgl1 libglib2.0-0t64 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /home/nbhelpers nbhelpers \
    && install --directory --owner nbhelpers /models /adapters /uploads

COPY --from=build /opt/nbhelpers /opt/nbhelpers

# Weights of models are kept in /models, so that a new container does not fetch them again.
ENV VIRTUAL_ENV=/opt/nbhelpers \
    PATH=/opt/nbhelpers/bin:$PATH \
    HF_HOME=/models \
    PYTHONUNBUFFERED=1

USER 10001
WORKDIR /home/nbhelpers
VOLUME ["/models", "/uploads"]
EXPOSE 8000
STOPSIGNAL SIGTERM

# The start may fetch a model: 30 minutes, during which a failing check does not count. 503 (ill, stopping) fails.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30m --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=8)"]

ENTRYPOINT ["nbhelpers", "serve", "--host", "0.0.0.0", "--port", "8000", "--spool", "/uploads"]
CMD ["--model", "auto", "--adapters", "/adapters"]
