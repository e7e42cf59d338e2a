#!/bin/sh
# Everything that has to pass, as `make test` runs it: a line for each stage. The output of a stage is
# shown only if it fails. Installs nothing; the last lines say what was skipped because a program is missing.
cd "$(dirname "$0")/.." || exit
cargo=${CARGO:-cargo}
# More threads than processors: most tests wait most of the time.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-8}"
log=$(mktemp) skipped=$(mktemp) begin=$(date +%s)
trap 'rm -f "$log" "$skipped"' EXIT
trap 'exit 130' INT TERM

stage() {
    name=$1 since=$(date +%s)
    shift
    printf '%-28s' "$name"
    if ! "$@" >"$log" 2>&1; then
        printf 'FAILED after %d s: %s\n\n' $(($(date +%s) - since)) "$*"
        grep -Ev '^test .* \.\.\. (ok|ignored.*)$|^ *(Compiling|Checking|Running|Finished|Blocking)' "$log"
        exit 1
    fi
    grep '^SKIPPED' "$log" >>"$skipped"
    passed=$(awk '/^test result: ok/ { n += $4 } END { if (n) print "  " n " passed" }' "$log")
    printf '%4d s%s\n' $(($(date +%s) - since)) "$passed"
}

# These modules start no server with the kind of table that the environment asks for.
others='--skip process:: --skip house:: --skip store:: --skip framework:: --skip examples:: --skip programs::
    --skip book:: --skip python_client:: --skip etcd:: --skip documents::shell::'

on_disk() {
    # shellcheck disable=SC2086
    TELEFILE_TEST_KEPT=1 "$cargo" test --no-fail-fast --test it -- $others
}

# What `make run` starts. Libraries check less in it: clap finds ids that it does not know.
release_build() (
    "$cargo" build --release || return
    program=${CARGO_TARGET_DIR:-target}/release/telefile folder=$(mktemp -d) || return
    export TELEFILE_ADDR="unix:$folder/socket"
    "$program" serve --listen "$TELEFILE_ADDR" &
    server=$!
    trap 'kill "$server"; wait "$server"; rm -rf "$folder"' EXIT
    echo whole | "$program" write --retry 60 f && [ "$("$program" read f)" = whole ]
)

# A build of its own: the feature is not among the default ones. The servers of these tests share two
# processors with etcd, so few tests run at a time.
several_servers() {
    "$cargo" clippy --all-targets --features etcd-tls -- -D warnings || return
    RUSTDOCFLAGS='-D warnings' "$cargo" doc --no-deps --features etcd-tls || return
    "$cargo" test --no-fail-fast --features etcd-tls --lib -- store::etcd || return
    RUST_TEST_THREADS=2 "$cargo" test --no-fail-fast --features etcd-tls --test it -- etcd::
}

# What a client of a standby sees is decided by the bytes that are relayed, and the transcripts have every
# command, cut in every way, over each kind of socket. The other tests ask for more than bytes (memory, counters):
# of the server that has the table. `tests/it/server/standby.rs` has what is a standby's own.
suite_in_etcd() (
    if ! command -v etcd >/dev/null; then
        echo 'SKIPPED, etcd is not installed: the suite with its tables in etcd'
        return
    fi
    export RUST_TEST_THREADS=4
    # shellcheck disable=SC2086
    TELEFILE_TEST_ETCD=1 "$cargo" test --no-fail-fast --features etcd-tls --test it -- $others || return
    TELEFILE_TEST_ETCD=standby "$cargo" test --no-fail-fast --features etcd-tls --test it -- protocol:: code::vanish::
)

exercises() {
    "$cargo" test --test it -- --ignored book::
}

docs() {
    RUSTDOCFLAGS='-D warnings' "$cargo" doc --no-deps
}

# Checks what deny.toml allows. Advisories are fetched: without a network only the rest is checked.
dependencies() {
    if ! "$cargo" deny --version >/dev/null 2>&1; then
        echo 'SKIPPED, cargo-deny is not installed: licences, sources and advisories of dependencies'
        return
    fi
    "$cargo" deny --offline check bans licenses sources || return
    if "$cargo" deny fetch db; then
        "$cargo" deny --offline check advisories
    else
        echo 'SKIPPED, the database of advisories cannot be fetched: advisories of dependencies'
    fi
}

# Clippy knows since when std has each item. Only the toolchain itself knows its language.
oldest_toolchain() {
    oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    installed=$(rustup toolchain list 2>/dev/null | grep -m 1 "^$oldest[-.]" | cut -d ' ' -f 1)
    if [ -z "$installed" ]; then
        echo "SKIPPED, rustup has no toolchain $oldest: a build with the oldest toolchain"
        return
    fi
    rustup run "$installed" cargo check --all-targets
}

stage 'format' "$cargo" fmt --check
stage 'lints' "$cargo" clippy --all-targets -- -D warnings
stage 'lints, small library' "$cargo" clippy --no-default-features --lib --tests -- -D warnings
stage 'documentation' docs
stage 'dependencies' dependencies
stage 'oldest toolchain' oldest_toolchain
stage 'tests' "$cargo" test --no-fail-fast
stage 'exercises of the book' exercises
stage 'the built book' tests/book.sh --installed
stage 'tests, tables on disk' on_disk
stage 'tests, several servers' several_servers
stage 'tests, tables in etcd' suite_in_etcd
stage 'the release build' release_build
stage 'tests, small library' "$cargo" test --no-fail-fast --no-default-features
sort -u "$skipped"
printf '%-28s%4d s\n' 'all passed' $(($(date +%s) - begin))
