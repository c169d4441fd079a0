#!/usr/bin/env bash
# Sees to the images that ours are built from, python:3.11-slim and redis:7: pulled, or, where no registry can be reached,
# stand-ins made of this machine's Debian and Python, with its certificates. For tests only. Needs DOCKER_HOST; DOCKER
# names the client.
set -euo pipefail
docker=${DOCKER:-docker}
export DOCKER_BUILDKIT=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

there() { $docker image inspect "$1" >/dev/null 2>&1 || timeout 60 $docker pull -q "$1" >/dev/null 2>&1; }

debian() { # a root with what Python links to
  if ! command -v mmdebstrap >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null
  fi
  local sources
  sources=$(find /etc/apt -name '*.sources' -o -name sources.list | head -1)
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,libssl3,libsqlite3-0,libffi8,zlib1g,libbz2-1.0,liblzma5,libreadline8,libuuid1,libncursesw6,netbase,tzdata \
    bookworm "$work/debian.tar" "$sources"
}

python() { # this machine's, under /usr/local
  local prefix root=$work/python/usr/local
  prefix=$(python3.11 -c 'import sys; print(sys.base_prefix)')
  mkdir -p "$root/bin" "$root/lib"
  cp -a "$prefix/bin/python3.11" "$root/bin/"
  ln -s python3.11 "$root/bin/python3"
  ln -s python3 "$root/bin/python"
  cp -a "$prefix"/lib/libpython3.11.so* "$root/lib/" 2>/dev/null || true
  tar -C "$prefix/lib" -cf - --exclude=test --exclude=__pycache__ --exclude=site-packages --exclude='config-3.11*' python3.11 |
    tar -C "$root/lib" -xf -
  mkdir -p "$root/lib/python3.11/site-packages"
  tar -C "$work/python" -cf "$work/python.tar" usr
}

if ! there python:3.11-slim; then
  debian
  python
  cp /etc/ssl/certs/ca-certificates.crt "$work/"
  printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$work/pip.conf"
  cat >"$work/Dockerfile" <<'D'
FROM scratch
ADD debian.tar /
ADD python.tar /
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY pip.conf /etc/pip.conf
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
RUN ldconfig && python3 -m ensurepip && ln -sf pip3.11 /usr/local/bin/pip
CMD ["python3"]
D
  rm -rf "$work/python"
  $docker build -q -t python:3.11-slim "$work" >/dev/null
fi
if ! there redis:7; then
  mkdir "$work/redis"
  cat >"$work/redis/Dockerfile" <<'D'
FROM python:3.11-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
USER redis
CMD ["redis-server", "--protected-mode", "no"]
D
  $docker build -q -t redis:7 "$work/redis" >/dev/null
fi
