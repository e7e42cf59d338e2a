#!/usr/bin/env bash
# A client of telefile in Bash, over /dev/tcp: bash examples/client.sh 127.0.0.1:8080 [TYPE]
# For scripts the program is simpler, and safe for any bytes: `telefile write NAME < FILE`.
set -euo pipefail
LC_ALL=C # so that ${#contents} counts bytes
address=${1:?usage: client.sh HOST:PORT [TYPE]}

exec 3<>"/dev/tcp/${address%:*}/${address##*:}"

lost() { echo "client.sh: the connection is lost; the request may have been executed" >&2 && exit 3; }

# Sends a request of these fields, and $contents after it if that is set; the reply's fields are in
# $reply.
ask() {
    local field
    for field; do
        [[ -n $field && $field != *[[:space:]]* ]] ||
            { echo "client.sh: '$field' would be another request" >&2 && exit 2; }
    done
    printf '%s\r\n' "$*" ${contents+"$contents"} >&3
    IFS=$' \r' read -ra reply <&3 || lost
    if [[ ${reply[0]} == ERR_* ]]; then
        echo "refused: ${reply[*]}"
        return 1
    fi
}

# The epoch of the table in $epoch. A script that keeps a version longer than the connection keeps both.
fs_hello() { ask hello && epoch=${reply[2]}; }
fs_open() { ask open "$@" && fd=@${reply[1]}; }
fs_close() { ask close "$1"; }
fs_write() { local contents=$2; ask write "$1" "${#2}"; }
fs_cas() { local contents=$3; ask cas "$1" "$2" "${#3}"; }
# The contents to stdout, any bytes; the version in $version.
fs_read() {
    ask read "$1" && version=${reply[1]}
    head -c "${reply[2]}" <&3
    read -r <&3 || lost
}

fs_hello
fs_open greeting "${2:-MemoryFile}"
fs_write "$fd" "hi from Bash"
fs_read "$fd"
echo " at version $version"
fs_cas "$fd" $((version + 1)) "too late" || true
fs_close "$fd"
