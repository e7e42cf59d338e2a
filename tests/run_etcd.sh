#!/bin/sh
# Starts an etcd of one member in a temporary folder and a server with its table there, until ctrl-c:
# run_etcd.sh PROGRAM [OPTION]... Etcd listens on ports that nobody used a moment before.
program=$1
shift
folder=$(mktemp -d) || exit
etcd=
trap 'trap "" INT TERM HUP; [ -n "$etcd" ] && kill -9 "$etcd" && wait "$etcd" 2>/dev/null; rm -rf "$folder"' EXIT
free() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null ||
        echo "$1"
}
client=http://127.0.0.1:$(free 12379) peer=http://127.0.0.1:$(free 12380)
# In a session of its own: ctrl-c is for the server, which gives its place up in etcd.
setsid etcd --data-dir "$folder/data" --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" \
    --auto-compaction-retention 10m --log-level error >"$folder/log" 2>&1 &
etcd=$!
"$program" serve --etcd "$client" "$@" </dev/null &
server=$!
# Also at the end of the terminal, at which a server only reads its token again.
trap 'kill "$server" 2>/dev/null' INT TERM HUP
while
    wait "$server" # until it ends, or a signal comes
    status=$?
    kill -0 "$server" 2>/dev/null
do :; done
if ! kill -0 "$etcd" 2>/dev/null; then
    echo 'etcd has ended:' >&2
    tail -n 5 "$folder/log" >&2
fi
exit $status
