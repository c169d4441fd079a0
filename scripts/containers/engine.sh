#!/usr/bin/env bash
# A private Docker engine, for tests where none runs: engine.sh up | down | env. Debian, as root. Its data and socket lie
# in DARWIN_DOCKER_DIR (/tmp/darwin-docker); nothing else is touched.
set -euo pipefail
folder=${DARWIN_DOCKER_DIR:-${TMPDIR:-/tmp}/darwin-docker}
export DOCKER_HOST=unix://$folder/docker.sock
case ${1:-} in
  up)
    if ! command -v dockerd >/dev/null; then
      apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
    fi
    mkdir -p "$folder"
    cat > "$folder/daemon.json" <<EOF
{"data-root": "$folder/data", "exec-root": "$folder/exec", "pidfile": "$folder/dockerd.pid", "hosts": ["$DOCKER_HOST"]}
EOF
    if ! /usr/bin/docker version >/dev/null 2>&1; then
      setsid nohup dockerd --config-file "$folder/daemon.json" >"$folder/dockerd.log" 2>&1 </dev/null &
      for _ in $(seq 60); do
        /usr/bin/docker version >/dev/null 2>&1 && break
        sleep 0.5
      done
    fi
    /usr/bin/docker version --format 'engine {{.Server.Version}}' ;;
  down)
    [ -f "$folder/dockerd.pid" ] || exit 0
    kill "$(cat "$folder/dockerd.pid")"
    for _ in $(seq 40); do
      [ -f "$folder/dockerd.pid" ] || exit 0
      sleep 0.5
    done
    echo "the engine did not stop" >&2
    exit 1 ;;
  env) echo "$DOCKER_HOST" ;;
  *) echo "usage: engine.sh up|down|env" >&2; exit 2 ;;
esac
