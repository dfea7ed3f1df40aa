ARG BASE=interop/base:trixie
ARG NODE_IMAGE
FROM ${NODE_IMAGE} AS node

# Chromium comes first: all versions of the family share that layer, by far the largest
FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends chromium \
 && rm -rf /var/lib/apt/lists/*
COPY --from=node /usr/local/bin/node /usr/local/bin/
COPY --from=node /app /app
USER nobody
ENTRYPOINT ["node", "/app/chromium.js"]
