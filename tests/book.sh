#!/bin/sh
# Builds the book of `tutorial` to target/book, with an mdBook of one version below target/tools. Installs it
# if it is missing; with --installed the book is skipped then. Fails if the log has an error or a warning,
# which mdBook's status does not say, or if a link of the built pages leads nowhere.
cd "$(dirname "$0")/.." || exit
version=0.5.4
mdbook=target/tools/bin/mdbook
if [ "$("$mdbook" --version 2>/dev/null)" != "mdbook v$version" ]; then
    if [ "$1" = --installed ]; then
        echo "SKIPPED, mdBook $version is not installed (make book does that): the built book"
        exit
    fi
    "${CARGO:-cargo}" install mdbook --version "=$version" --locked --root target/tools \
        --target-dir target/tools/build || exit
    rm -r target/tools/build
fi
log=$("$mdbook" build tutorial --dest-dir "$PWD/target/book" 2>&1)
status=$?
echo "$log"
if [ $status != 0 ] || echo "$log" | grep -Eq '\b(ERROR|WARN)\b'; then
    echo 'mdBook reports an error or a warning'
    exit 1
fi
if command -v python3 >/dev/null; then
    python3 tests/book_links.py target/book || exit
else
    echo 'SKIPPED, python3 is not installed: the links of the built book'
fi
echo "the book is in $PWD/target/book/index.html"
