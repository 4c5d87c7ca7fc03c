#!/bin/bash
# Gets the stock hub firmwares of a release of the npm package @pybricks/firmware:
#   tests/lib/pybricks.sh VERSION FOLDER
# leaves FOLDER/HUB/firmware-base.bin for every hub. Exit codes: 0; 77 when it cannot be had.
set -eu
version=$1 folder=$2

give_up() {
    echo "@pybricks/firmware $version cannot be had: $*" >&2
    exit 77
}

[ ! -e "$folder/complete" ] || exit 0
for tool in npm unzip; do
    command -v $tool >/dev/null || give_up "$tool is missing"
done
mkdir -p "$folder"
folder=$(realpath "$folder")
(cd "$folder" && npm pack --silent "@pybricks/firmware@$version") >"$folder/log" 2>&1 ||
    give_up "npm says: $(tail -1 "$folder/log")"
tar -xzf "$folder"/pybricks-firmware-*.tgz -C "$folder"
for zip in "$folder"/package/build/*.zip; do
    unzip -qo "$zip" -d "$folder/$(basename "$zip" .zip)"
done
touch "$folder/complete"
