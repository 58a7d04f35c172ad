# The text classifier example with the package of this checkout. `label-studio-ml init` writes one for your own model.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MODEL_DIR=/data/models \
    PORT=9090

# /data keeps what the model learned; the user that runs the server must own it.
RUN useradd --create-home --uid 1000 backend \
    && mkdir -p /data/models \
    && chown -R 1000:1000 /data
VOLUME /data

WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY label_studio_ml label_studio_ml
RUN pip install --no-cache-dir . -r label_studio_ml/examples/simple_text_classifier/requirements.txt

WORKDIR /app
COPY --chown=1000:1000 label_studio_ml/examples/simple_text_classifier .

USER 1000
EXPOSE 9090
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=4)"]

# exec, so that the server itself receives the signal to stop.
CMD ["sh", "-c", "exec label-studio-ml start text_classifier.py --host 0.0.0.0 --port \"${PORT}\""]
