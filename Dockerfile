# The one image of single nodes, routers, shards and the command line (docs/container.md):
#
#   docker build -t enc-node --build-arg REVISION=$(git rev-parse HEAD) .
#
# NODE_IMAGE: Debian bookworm with Node 24, which runs TypeScript as it is.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS app
WORKDIR /opt/enc-node
COPY package.json package-lock.json ./
# Native modules come prebuilt. What only compilers and debuggers read goes again. Behind a proxy or registry with a
# certificate of your own: --secret id=ca,src=FILE.pem, and --secret id=npmrc,src=FILE; neither stays in the image.
RUN --mount=type=secret,id=ca,target=/run/ca.pem --mount=type=secret,id=npmrc,target=/root/.npmrc \
    if [ -s /run/ca.pem ]; then export NODE_EXTRA_CA_CERTS=/run/ca.pem; fi; \
    npm ci --omit=dev --no-audit --no-fund --loglevel=error \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete
COPY . .

FROM ${NODE_IMAGE} AS root
# tini hands signals on and buries orphans. Nothing installs packages at run time, and nobody reads manuals there.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libsecp256k1-1 tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/locale /usr/share/man /usr/share/info \
      /usr/local/lib/node_modules /usr/local/include /usr/local/share /opt/yarn-* \
 && find /usr/share/doc -type f ! -name copyright -delete \
 && find /usr/local/bin -xtype l -delete
COPY --from=app /opt/enc-node /opt/enc-node
RUN ln -s /opt/enc-node/deploy/image/enc-node /usr/local/bin/enc-node \
 && install -d -o 1000 -g 1000 -m 700 /data \
 && install -d -o 1000 -g 1000 /opt/enc-node/.compiled
# Changed with package.json and kernel/enc-core.sha256: the build fails when a label would say something else.
ARG VERSION=0.1.0
ARG KERNEL_SHA256=465622b527378184a659d2629f06731f08cd88367d4804d2b5ca66c41dabb86a
# Every role runs once: it must load with what is here, and what V8 makes of it halves the CPU of a start.
USER 1000:1000
RUN export NODE_COMPILE_CACHE=/opt/enc-node/.compiled \
 && node /opt/enc-node/deploy/image/check.ts "$VERSION" "$KERNEL_SHA256" \
 && for role in node router shard enc; do enc-node $role --help >/dev/null || exit 1; done \
 && node /opt/enc-node/deploy/image/health.ts
USER 0:0
RUN chown -R 0:0 /opt/enc-node/.compiled && chmod -R a+rX,go-w /opt/enc-node/.compiled

# One layer, so that what was taken away above is really gone.
FROM scratch
COPY --from=root / /
# ENC_DATA is that of a single node: mount a volume there.
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production \
    NODE_COMPILE_CACHE=/opt/enc-node/.compiled \
    ENC_DATA=/data \
    ENC_HOST=0.0.0.0
# The base's user "node", by its number, so that Kubernetes can see that it isn't root.
USER 1000:1000
EXPOSE 8080
ENTRYPOINT ["/usr/bin/tini", "--", "enc-node"]
CMD ["node"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["node", "/opt/enc-node/deploy/image/health.ts"]
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG KERNEL_SHA256=465622b527378184a659d2629f06731f08cd88367d4804d2b5ca66c41dabb86a
LABEL org.opencontainers.image.title="enc-node" \
      org.opencontainers.image.description="Hosts enclaves: append-only, signed, independently verifiable event logs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      enc-node.kernel.sha256="${KERNEL_SHA256}"
