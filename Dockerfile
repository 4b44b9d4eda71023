# One image for web, worker, beat and sequencer; docker-compose.yml says which command each runs.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
RUN useradd --uid 10001 --home-dir /app --shell /usr/sbin/nologin chartkey \
 && install -d -o chartkey -m 0700 /srv/chartkey /srv/anchors

COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt

COPY . .
# Static files and the catalogue are part of the image; no secret is, so these are thrown-away ones.
RUN python -m config.keys --oidc-key-file /tmp/build.pem > /tmp/build.env \
 && CHARTKEY_ENV_FILE=/tmp/build.env python manage.py catalogue compile \
 && CHARTKEY_ENV_FILE=/tmp/build.env STATIC_ROOT=/app/staticfiles python manage.py collectstatic --noinput \
 && rm /tmp/build.env /tmp/build.pem

USER chartkey
ENV CHARTKEY_VAR=/srv/chartkey STATIC_ROOT=/app/staticfiles
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--no-ws", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "16", "--workers-kill-timeout", "30", "config.wsgi:application"]
