# One file, three images: docker build --target server|scaler|node .
#
# Releases pin NODE_IMAGE by digest. BUILT names the stage, or the image, that holds the programs under /out; where no registry can be
# reached, docker/build-local-images.js builds the same stages from this machine's Node and its own build.
ARG NODE_IMAGE=node:22-bookworm-slim
ARG BUILT=build

FROM ${NODE_IMAGE} AS build
WORKDIR /src
# better-sqlite3 is compiled where its prebuilt binary can't be had.
RUN apt-get update && apt-get install -y --no-install-recommends python3 make g++ && rm -rf /var/lib/apt/lists/*
COPY . .
RUN npx -y pnpm@12.21.0 install --frozen-lockfile && npm run -s build \
  && for program in server scaler node; do npx -y pnpm@12.21.0 --filter "@genai/$program" deploy --prod "/out/$program"; done \
  && mkdir -p /out/data

FROM ${BUILT} AS built

FROM ${NODE_IMAGE} AS server
LABEL org.opencontainers.image.title="genai server" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production GENAI_HOME=/data HOST=0.0.0.0 HTTP_PORT=8080
COPY --from=built /out/server /app
COPY --from=built --chown=10001:10001 /out/data /data
VOLUME /data
WORKDIR /app
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HTTP_PORT}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]

FROM ${NODE_IMAGE} AS scaler
LABEL org.opencontainers.image.title="genai scaler" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
COPY --from=built /out/scaler /app
WORKDIR /app
USER 10001:10001
EXPOSE 51075
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 CMD ["node", "/app/dist/health.js"]
ENTRYPOINT ["node", "/app/dist/main.js"]

FROM ${NODE_IMAGE} AS node
# The scaler knows our own image by this label and takes everything from it that it doesn't need.
LABEL org.genai.node="1" org.opencontainers.image.title="genai node" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production GENAI_NODE_HOME=/data NODE_STATUS_PORT=8189
COPY --from=built /out/node /app
COPY --from=built --chown=10001:10001 /out/data /data
VOLUME /data
WORKDIR /data
USER 10001:10001
# Healthy: connected, and the engine beside it is ready.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.NODE_STATUS_PORT}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]
