#!/bin/sh
# Makes a base image's root (Debian with Python) into what a process of Darwin runs on: no package manager, perl, pip,
# documentation, locales or symbols. dpkg removes packages, so that its list, which scanners read, stays true.
#
# usage: trim.sh [PACKAGE …]     packages to have besides
set -eu
apt-get update -qq
apt-get install -yqq --no-install-recommends binutils "$@" >/dev/null 2>&1
find /usr/local -name '*.so*' -type f -exec strip --strip-unneeded {} +
apt-get purge -yqq --auto-remove binutils >/dev/null

tools='adduser|apt|bsdutils|debconf|debian-archive-keyring|diffutils|e2fsprogs|gpgv|init-system-helpers|logsave|login|mount
ncurses-bin|openssl|passwd|perl.*|sysvinit-utils|tar|usrmerge|util-linux'
# Libraries that only those used, in whatever version.
libraries='apt-pkg|blkid|db5|ext2fs|gcrypt|gnutls|gpg-error|hogweed|idn2|mount|nettle|p11-kit|pam|perl|semanage|sepol
ss2|systemd|tasn1|udev|unistring'
packages=$(dpkg-query -W -f '${Package}\n' |
  grep -xE "($(echo $tools | tr ' ' '|'))|lib($(echo $libraries | tr ' ' '|')).*|lib.*-perl|gcc-.*-base")
# shellcheck disable=SC2086 # a word each
dpkg --purge --force-all $packages >/dev/null 2>&1

python=$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
rm -rf "$python"/ensurepip "$python"/idlelib "$python"/lib2to3 "$python"/test "$python"/tkinter "$python"/turtledemo \
  "$python"/site-packages/* "$python"/config-* /usr/local/bin/*pip* /usr/local/bin/idle* /usr/local/include \
  /usr/local/bin/2to3* /usr/local/bin/pydoc* /etc/pip.conf
rm -rf /usr/share/doc /usr/share/info /usr/share/lintian /usr/share/locale /usr/share/man /usr/share/bash-completion \
  /usr/share/perl* /usr/share/gcc /usr/share/gdb /usr/share/keyrings /usr/lib/*/gconv /usr/lib/*/perl* /usr/lib/apt \
  /etc/apt /etc/perl /var/cache/* /var/lib/apt /var/log/* /root/.cache /tmp/* \
  /usr/bin/dpkg* /usr/sbin/dpkg* /usr/lib/dpkg /var/lib/dpkg/info/*.postinst /var/lib/dpkg/*-old
python -m compileall -q "$python"

find / -xdev -type f -perm /6000 -exec chmod a-s {} +

echo 'darwin:x:10001:10001:darwin:/tmp:/usr/sbin/nologin' >>/etc/passwd
echo 'darwin:x:10001:' >>/etc/group
# Volumes take over the owner of the folder that they are mounted on.
for folder in /data /models /run/secrets/darwin; do
  mkdir -p "$folder"
  chown 10001:10001 "$folder"
done
