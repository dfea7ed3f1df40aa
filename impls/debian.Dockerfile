# The head of every endpoint that Debian packages.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends ethtool iproute2 && rm -rf /var/lib/apt/lists/*
# The series is pinned, its security updates are not: Debian removes what they replace. What was found is on record in
# the image and kept with the logs of every run.
ARG SERIES
