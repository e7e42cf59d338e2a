"""Tests of the client against the real server, and against servers that lie.

`python3 -m unittest discover -t clients/python -s clients/python/tests` runs them; `make test` does so
too. They start programs that `cargo build --bins --examples` has built.
"""
