ARG BASE=interop/base:trixie
ARG NODE_IMAGE
FROM ${NODE_IMAGE} AS node

# Chromium comes first: all versions of the family share that layer, by far the largest.
# Debian's headless shell is the same browser without a desktop: half the size, and a run starts and stops
# in a fifth of the time.
FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends chromium-headless-shell \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /usr/share/doc /usr/share/locale
COPY --from=node /usr/local/bin/node /usr/local/bin/
COPY --from=node /app /app
USER nobody
ENTRYPOINT ["node", "/app/chromium.js"]
