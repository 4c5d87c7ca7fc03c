#!/bin/sh
# Installs the Debian packages that a job needs and that are missing:
#   tests/lib/deps.sh build|demo|test|ci...
# As root or with sudo it installs; otherwise it prints the line to run and exits with 4.
set -eu

packages=
for job in "$@"; do
    case $job in
    build) packages="$packages gcc make libc6-dev pkg-config zlib1g-dev libmbedtls-dev nettle-dev libxxhash-dev libinih-dev" ;;
    demo) packages="$packages ca-certificates xz-utils unzip npm" ;;
    test) packages="$packages ca-certificates libcriterion-dev openssl python3 xz-utils unzip npm qemu-user binutils jq faketime" ;;
    ci) packages="$packages clang clang-format clang-tidy cppcheck gcc-arm-none-eabi dfu-util libclang-rt-dev python3-venv python3-pip" ;;
    *) echo "deps.sh: unknown job $job: build, demo, test and ci are known" >&2; exit 2 ;;
    esac
done

installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# A program that is there from elsewhere (npm from another source, say) is as good as the package.
present() {
    case $1 in
    npm | openssl | python3 | jq | unzip | clang | make | gcc | cppcheck) command -v "$1" >/dev/null || installed "$1" ;;
    python3-venv | python3-pip) python3 -c 'import venv, pip' 2>/dev/null || installed "$1" ;;
    libclang-rt-dev) ls /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a >/dev/null 2>&1 ;;
    *) installed "$1" ;;
    esac
}

# Older suites number the package.
resolve() {
    case $1 in
    libclang-rt-dev)
        v=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -1)
        echo "libclang-rt-${v:-14}-dev"
        ;;
    *) echo "$1" ;;
    esac
}

missing=
for p in $packages; do
    present "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=sudo
else
    echo "These packages are missing; run this as root, then again what you ran:" >&2
    echo "  apt-get update && apt-get install -y --no-install-recommends$missing" >&2
    exit 4
fi
echo "Installing$missing"
log=$(mktemp)
if ! $as_root apt-get -o Acquire::Retries=3 update >"$log" 2>&1; then
    cat "$log" >&2
    exit 4
fi
names=
for p in $missing; do
    names="$names $(resolve "$p")"
done
# shellcheck disable=SC2086 # a list of words
if ! DEBIAN_FRONTEND=noninteractive $as_root apt-get -o Acquire::Retries=3 install -y --no-install-recommends $names >"$log" 2>&1; then
    tail -20 "$log" >&2
    exit 4
fi
rm -f "$log"
