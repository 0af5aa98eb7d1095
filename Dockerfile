# The command line in a container: docs/operating/compose.md. `docker build -t tributary:0.1.0 .`
FROM node:24.21.0-bookworm-slim AS source
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY schemas schemas
COPY connectors connectors
COPY producers producers
COPY consumers consumers
COPY ops ops
COPY LICENSE tributary.yaml ./

FROM source AS built
RUN npm ci --omit=dev --ignore-scripts
# A third of what a start costs is the compiling of modules: done here, since nothing can be written later. Node looks for it by the user's
# number, and lets nobody else read it.
RUN mkdir node_modules/.cache && chown 1000:1000 node_modules/.cache
USER 1000:1000
RUN ["node", "--max-semi-space-size=16", "--heap-growing-percent=50", "ops/cli/tributary.ts", "--help"]
USER root
RUN chmod -R a+rX node_modules/.cache

FROM source AS with-tools
RUN npm ci --ignore-scripts

FROM node:24.21.0-bookworm-slim AS program
# Nothing is installed here any more.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn* /opt/yarn*
# As in the first line of ops/cli/tributary.ts.
ENV NODE_ENV=production MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=1048576
WORKDIR /app
# Owned by root, run by another: a process cannot change its own program.
COPY --from=built --chown=0:0 /app ./
USER 1000:1000
EXPOSE 9464
ENTRYPOINT ["node", "--max-semi-space-size=16", "--heap-growing-percent=50", "ops/cli/tributary.ts"]
CMD ["--help"]
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

# The demo's stand-ins as well: the store's needs a package that only the tests have.
FROM program AS demo
COPY --from=with-tools /app/node_modules/graphql node_modules/graphql

FROM program AS tributary
