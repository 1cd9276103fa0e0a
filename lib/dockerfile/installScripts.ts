// The only shell that a build runs: one constant script for each package manager, its arguments the pins (`name=version`).
// What goes wrong it says on a line of its own, `policy-platform: <code>: <sentence>`, whichever plugin builds:
// lib/base/failure.ts reads these lines back. A script that changes is another format (lib/base/packages.ts).
import type { PackageManager } from "../base/packages";

const start = `set -eu
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
say() { echo "policy-platform: $1" >&2; }
fail() { say "$1"; exit 1; }
refused=
refuse() { say "$1"; refused=yes; }
`;

/** Looks at every pin before it installs, so that all that are out of date are named at once. */
const checkPins = `
for pin; do
  name=\${pin%%=*} version=\${pin#*=}
  if has "$name" "$version"; then continue; fi
  offered=$(offers "$name")
  known=
  list=
  for one in $offered; do
    if [ "$one" = "$version" ]; then known=yes; fi
    list="\${list:+$list, }$one"
  done
  if [ -n "$known" ]; then continue; fi
  if [ -n "$list" ]; then refuse "base-package-version: $name $version is not in the package index any more, which has $list"
  else refuse "base-package-missing: no package $name is in the package index"; fi
done
if [ -n "$refused" ]; then exit 1; fi
`;

const verifyPins = `
for pin; do
  has "\${pin%%=*}" "\${pin#*=}" || fail "base-install: \${pin%%=*} is not at \${pin#*=} after the installation"
done
`;

const apt = `${start}
export DEBIAN_FRONTEND=noninteractive
command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || fail "base-manager: the base has no apt-get"
has() { [ "$(dpkg-query -W -f='\${db:Status-Status} \${Version}' "$1" 2>/dev/null)" = "installed $2" ]; }
offers() {
  apt-cache madison "$1" | while IFS=' |' read -r package version source; do
    case "$package|$source" in "$1|"*Packages) echo "$version";; esac
  done
}
apt-get -q -o APT::Update::Error-Mode=any -o Acquire::Retries=2 update || fail "base-index: the package index cannot be read"
${checkPins}
apt-get -q -y -o Dpkg::Use-Pty=0 -o Acquire::Retries=2 --no-install-recommends --no-remove --allow-downgrades install "$@" ||
  fail "base-install: apt-get cannot install $*"
${verifyPins}
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache
rm -f /var/cache/debconf/*-old /var/lib/dpkg/*-old
`;

const apk = `${start}
command -v apk >/dev/null || fail "base-manager: the base has no apk"
has() { apk info -e "$1=$2" >/dev/null 2>&1; }
offers() {
  apk policy "$1" | while read -r line; do
    case "$line" in [0-9]*:) echo "\${line%:}";; esac
  done
}
apk update || fail "base-index: the package index cannot be read"
${checkPins}
apk add "$@" || fail "base-install: apk cannot add $*"
${verifyPins}
rm -rf /var/cache/apk/* /var/log/apk.log
`;

/** By package manager. */
export const installScripts: Readonly<Record<PackageManager, string>> = { apk, apt };
