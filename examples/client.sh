#!/usr/bin/env bash
# A client of telefile in Bash, over /dev/tcp: bash examples/client.sh 127.0.0.1:8080 [TYPE]
# For scripts the program is simpler, and safe for any bytes: `telefile write NAME < FILE`.
set -euo pipefail
LC_ALL=C # so that ${#contents} counts bytes

exec 3<>"/dev/tcp/${1%:*}/${1##*:}"

# Sends a line, and contents after it if there are any; the reply's fields are in $reply.
ask() {
    printf '%s\r\n' "$1" "${@:2}" >&3
    IFS=$' \r' read -ra reply <&3 || { echo "the connection is lost" >&2 && exit 3; }
    if [[ ${reply[0]} == ERR_* ]]; then
        echo "refused: ${reply[*]}"
        return 1
    fi
}

fs_open() { ask "open $*" && fd=@${reply[1]}; }
fs_close() { ask "close $1"; }
fs_write() { ask "write $1 ${#2}" "$2"; }
fs_cas() { ask "cas $1 $2 ${#3}" "$3"; }
# The contents to stdout, any bytes; the version in $reply[1].
fs_read() { ask "read $1" && head -c "${reply[2]}" <&3 && read -r <&3; }

fs_open greeting "${2:-MemoryFile}"
fs_write "$fd" "hi from Bash"
fs_read "$fd"
echo " at version ${reply[1]}"
fs_cas "$fd" $((reply[1] + 1)) "too late" || true
fs_close "$fd"
