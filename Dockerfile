# UNTESTED: no container engine was at hand where this was written. Kept small on purpose.
FROM node:24-bookworm-slim AS packages
WORKDIR /app
# A builder keeps old images: "docker pull node:24-bookworm-slim" brings a newer one.
RUN node -e "const [major, minor] = process.versions.node.split('.').map(Number); if (major === 24 && minor < 21) throw new Error('Node 24.21 or later is needed, this image has ' + process.version)"
COPY package.json package-lock.json ./
RUN npm install --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
RUN useradd --system --home /data --shell /usr/sbin/nologin postern && mkdir /data && chown postern /data
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY bin ./bin
COPY src ./src
RUN ln -s /app/bin/postern /usr/local/bin/postern
USER postern
ENV POSTERN_DATA=/data
VOLUME /data
EXPOSE 80 443
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["node", "-e", "fetch('http://127.0.0.1:7070/readyz').then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))"]
ENTRYPOINT ["postern"]
CMD ["run", "--config", "/etc/postern/postern.yaml"]
