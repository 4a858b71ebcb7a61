# Redis for the chart's own servers in the test cluster, from Debian: what values.yaml names can't be pulled everywhere.
ARG NODE_IMAGE=node:24-bookworm-slim
FROM ${NODE_IMAGE}
# Debian would start its own server while it installs.
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
 && groupadd -r -g 999 redis && useradd -r -u 999 -g 999 -d /data redis \
 && apt-get update && apt-get install -y --no-install-recommends redis-server redis-sentinel redis-tools \
 && rm -rf /var/lib/apt/lists/* && install -d -o 999 -g 999 /data
USER 999:999
WORKDIR /data
CMD ["redis-server"]
