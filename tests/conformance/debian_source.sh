#!/bin/bash
# Gets the source package of Debian's MicroPython and leaves its Python files under FOLDER/tree:
#   tests/conformance/debian_source.sh SUITE FOLDER
# The mirror is the one of the machine's own apt configuration, with an apt root of its own, and apt
# checks the signatures. Exit codes: 0; 77 when it cannot be had (the last line says why).
set -eu
suite=$1 folder=$2

give_up() {
    echo "Debian's source of micropython ($suite) cannot be had: $*" >&2
    exit 77
}

[ ! -e "$folder/complete" ] || exit 0
command -v apt-get >/dev/null || give_up "this machine has no apt"
mkdir -p "$folder/src"
folder=$(realpath "$folder")
apt=$folder/apt
key=
for k in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
    [ ! -e "$k" ] || key="[signed-by=$k] "
done
got=
for uri in $(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 2>/dev/null | grep -v security | sort -u); do
    rm -rf "$apt" && mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    echo "deb-src $key$uri $suite main" >"$apt/sources.list"
    options=(-q -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State=$apt"
        -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" -o Acquire::Languages=none
        -o APT::Sandbox::User=root -o Acquire::Retries=3)
    apt-get "${options[@]}" update >"$folder/log" 2>&1 || true
    if (cd "$folder/src" && apt-get "${options[@]}" source --download-only micropython) >>"$folder/log" 2>&1; then
        got=yes
        break
    fi
done
[ -n "$got" ] || give_up "$(grep -E '^(E|W|Err)' "$folder/log" | tail -1)"
mkdir -p "$folder/tree"
for archive in "$folder"/src/*.tar.*; do
    case $archive in
    *.asc) ;;
    *) tar -xf "$archive" -C "$folder/tree" --wildcards '*.py' 2>>"$folder/log" || true ;;
    esac
done
rm -rf "$apt" "$folder/src"
[ -n "$(find "$folder/tree" -name '*.py' -print -quit)" ] || give_up "it holds no Python files"
touch "$folder/complete"
