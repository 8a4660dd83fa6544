# The gateway, its emulator and its command line, in one image.
FROM node:26-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY gen/ts gen/ts
COPY src src
COPY clients clients
COPY ops/build-console.mts ops/
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:26-slim
ENV NODE_ENV=production HOST=0.0.0.0
WORKDIR /app
COPY package.json LICENSE ./
COPY docs/price-catalog.json docs/price-catalog.json
COPY gen/openapi gen/openapi
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# Where the ledger is kept, unless DATABASE_URL says otherwise. A volume outlives the container.
ENV LLMGATEWAY_DATA_DIR=/var/lib/llmgateway
RUN install -d -o node -g node "$LLMGATEWAY_DATA_DIR"
VOLUME /var/lib/llmgateway
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/v1/gateway/health`).then(({ ok }) => process.exit(Number(!ok)), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/clients/cli/main.js"]
CMD ["serve"]
