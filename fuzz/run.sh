#!/bin/sh
# Runs each fuzz target for FUZZ_SECONDS seconds (10). Needs a nightly toolchain and cargo-fuzz.
cd "$(dirname "$0")/.." || exit
missing=
rustup toolchain list 2>/dev/null | grep -q '^nightly' ||
    missing='a nightly toolchain (rustup toolchain install nightly)'
cargo fuzz --version >/dev/null 2>&1 || missing="${missing:+$missing and }cargo-fuzz (cargo install cargo-fuzz)"
if [ -n "$missing" ]; then
    echo "make fuzz needs $missing" >&2
    echo "The same targets run on random bytes in make test: cargo test --lib fuzz" >&2
    exit 1
fi
for target in $(cargo fuzz list); do
    cargo +nightly fuzz run "$target" -- \
        -max_total_time="${FUZZ_SECONDS:-10}" -max_len=2048 -dict=tests/fuzz.dict -verbosity=0 -print_final_stats=1 || exit
done
