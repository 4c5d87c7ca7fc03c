#!/bin/bash
# Gets Debian's own MicroPython of a suite and an architecture with the libraries it needs:
#   tests/lib/debian.sh SUITE ARCH FOLDER
# unpacks it into FOLDER/root (once) and makes FOLDER/run, which runs a binary (default: the stock
# one) under that suite's own loader and libraries; other architectures run under qemu-user.
# The mirror is the one of the machine's own apt configuration, and apt checks the signatures.
# Exit codes: 0; 77 when the packages cannot be had (no mirror, no network): the last line says why.
set -eu
suite=$1 arch=$2 folder=$3
packages="micropython libc6 libgcc-s1 libffi8 libmbedcrypto16 libmbedtls21 libmbedx509-7"

give_up() {
    echo "Debian's micropython ($suite, $arch) cannot be had: $*" >&2
    exit 77
}

case $arch in
amd64) loader=ld-linux-x86-64.so.2 qemu=qemu-x86_64 ;;
i386) loader=ld-linux.so.2 qemu=qemu-i386 ;;
arm64) loader=ld-linux-aarch64.so.1 qemu=qemu-aarch64 ;;
armel) loader=ld-linux.so.3 qemu=qemu-arm ;;
armhf) loader=ld-linux-armhf.so.3 qemu=qemu-arm ;;
riscv64) loader=ld-linux-riscv64-lp64d.so.1 qemu=qemu-riscv64 ;;
*) echo "debian.sh: unknown architecture $arch" >&2; exit 2 ;;
esac

mirrors() { # the archives this machine installs from, without the security and third-party ones
    apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 2>/dev/null |
        grep -v security | sort -u
}

download() { # into $folder/deb, with an apt root of its own; nothing of the system is touched
    local uri key signed= apt=$folder/apt
    for key in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
        [ ! -e "$key" ] || signed=" signed-by=$key"
    done
    while read -r uri; do
        rm -rf "$apt" && mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/etc" "$folder/deb"
        : >"$apt/status"
        echo "deb [arch=$arch$signed] $uri $suite main" >"$apt/sources.list"
        local options=(-q -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" -o "Dir::Etc::sourcelist=$apt/sources.list"
            -o Dir::Etc::sourceparts=- -o "Dir::State=$apt" -o "Dir::State::status=$apt/status"
            -o "Dir::Cache=$apt/cache" -o Acquire::Languages=none -o APT::Get::List-Cleanup=0 -o APT::Sandbox::User=root -o Acquire::Retries=3)
        apt-get "${options[@]}" update >"$folder/log" 2>&1 || true
        # shellcheck disable=SC2086
        if (cd "$folder/deb" && apt-get "${options[@]}" download $packages) >>"$folder/log" 2>&1; then
            rm -rf "$apt"
            return 0
        fi
    done < <(mirrors)
    return 1
}

if [ ! -e "$folder/complete" ]; then
    command -v apt-get >/dev/null || give_up "this machine has no apt"
    mkdir -p "$folder"
    folder=$(realpath "$folder")
    [ -n "$(mirrors)" ] || give_up "apt knows no mirror here"
    download || give_up "$(grep -E '^(E|W|Err)' "$folder/log" | tail -1)"
    for deb in "$folder"/deb/*.deb; do
        dpkg-deb -x "$deb" "$folder/root"
    done
    for merged in lib lib32 lib64; do # the merged /usr that base-files would have made
        [ -e "$folder/root/$merged" ] || ln -s "usr/$merged" "$folder/root/$merged"
    done
    rm -rf "$folder/deb"
    touch "$folder/complete"
fi
folder=$(realpath "$folder")
libs=$(find "$folder/root/usr/lib" -name "$loader" ! -type l | head -1)
[ -n "$libs" ] || libs=$(find -L "$folder/root" -name "$loader" | head -1)
libs=$(dirname "$libs")
binary=$folder/root/usr/bin/micropython
native=$(dpkg --print-architecture)
runs_here() { # the CPU of this machine runs the architecture (i386 on amd64 included)
    [ "$arch" = "$native" ] || { [ "$native $arch" = "amd64 i386" ] && "$libs/$loader" --version >/dev/null 2>&1; }
}
{
    echo '#!/bin/sh'
    echo "# Runs \$MICROPYTHON (default: the stock binary) of Debian $suite for $arch."
    if runs_here; then
        echo "exec '$libs/$loader' --library-path '$libs' \"\${MICROPYTHON:-$binary}\" \"\$@\""
    else
        echo "exec $qemu -L '$folder/root' \"\${MICROPYTHON:-$binary}\" \"\$@\""
    fi
} >"$folder/run"
chmod +x "$folder/run"
runs_here || command -v "$qemu" >/dev/null || give_up "$qemu is missing (package qemu-user)"
out=$("$folder/run" -c 'print(6*7)' 2>&1) || give_up "the stock binary does not run: $out"
[ "$out" = 42 ] || give_up "the stock binary answers '$out'"
