# `make` alone prints the targets.

CARGO ?= cargo
ARGS ?=
# Where `make install` puts what it installs; DESTDIR is a folder to put it below, for packages.
PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
# Features of the program beside the default ones.
features = $(if $(FEATURES),--features '$(FEATURES)')
# The users of a package cannot choose features.
PACKAGED = etcd-tls
BUILT = $(or $(CARGO_TARGET_DIR),target)/release/telefile
to = $(DESTDIR)$(PREFIX)

help:
	@echo 'make run              build and start the server; ARGS="--listen 127.0.0.1:9000" adds flags'
	@echo 'make run-etcd         the same with a table in an etcd of one member, in a temporary folder; needs etcd'
	@echo 'make build            build the program, target/release/telefile'
	@echo 'make install          install it with its manual pages, completions and systemd units. PREFIX=/usr/local'
	@echo '                      and DESTDIR= say where; `sudo make install` takes what `make build` has built.'
	@echo '                      FEATURES=etcd-tls, also of `make build` and `make run`, adds a table in etcd'
	@echo 'make uninstall        remove what `make install` has installed, except the settings'
	@echo 'make deb              make a Debian package in target/debian, with FEATURES=etcd-tls; needs cargo-deb'
	@echo 'make test             everything that has to pass: format, lints, docs, dependencies, all tests'
	@echo 'make test-protocol    the transcripts of the protocol alone. TELEFILE_TEST_ADDR=HOST:PORT runs'
	@echo '                      them against a server of yours, in any language. They write and delete'
	@echo '                      there, so a server with files is refused, unless TELEFILE_TEST_DELETE=1'
	@echo '                      The sessions of the book run there too; TELEFILE_TEST_ONLY=ch05 runs a part'
	@echo 'make book             the book of tutorial/ as web pages in target/book; installs mdBook below target/'
	@echo 'make plots            draw the plots of the benchmarks from benches/figures.csv'
	@echo 'make soak             a server with --data, killed TELEFILE_TEST_KILLS times (500) under load, and'
	@echo '                      TELEFILE_TEST_SCHEDULES (20000) random schedules of folder synchronisation,'
	@echo '                      and TELEFILE_TEST_CHURN (50) with processes that are killed'
	@echo 'make soak-etcd        three servers on three members of etcd under load, with TELEFILE_TEST_FAULTS (100) at random:'
	@echo '                      clean stops, kills, pauses and, as root on Linux, cuts in a network of its own'
	@echo 'make fuzz             the parsers under libFuzzer, FUZZ_SECONDS (10) for each target'
	@echo 'make bench            telefile beside memcached and redis, where they are installed'
	@echo 'make bench-data       what --data costs, beside redis, etcd and what the disk allows'
	@echo 'make bench-etcd       what a table in etcd costs, beside etcd itself and beside a server in memory'
	@echo 'make bench-watch      what a thousand watches cost'
	@echo 'make bench-framework  the message framework beside a bare blocking echo'
	@echo "make bench-sync       folder synchronisation beside rsync, unison, lsyncd and syncthing; ARGS='--scale 50'"
	@echo '                      is a small run'
	@echo 'make fmt              format the sources'

run:
	$(CARGO) run --release $(features) --bin telefile -- serve $(ARGS)

run-etcd:
	@command -v etcd >/dev/null || { echo 'etcd is not installed. On Debian: apt install etcd-server' >&2; exit 1; }
	$(CARGO) build --release --locked --features etcd
	@tests/run_etcd.sh '$(BUILT)' $(ARGS)

build:
	$(CARGO) build --release --locked $(features)

# BINARY=FILE installs another program. Root may have no cargo, or another one.
ifndef BINARY
BINARY = $(BUILT)
install: built
package = $(MAKE) build FEATURES='$(or $(FEATURES),$(PACKAGED))'
endif

built:
	@[ -n "$$SUDO_USER" ] && [ -x '$(BUILT)' ] || $(MAKE) build

install:
	umask 022 && mkdir -p '$(to)/bin' '$(to)/share/man/man1' '$(to)/share/bash-completion/completions' \
		'$(to)/share/zsh/site-functions' '$(to)/share/fish/vendor_completions.d' \
		'$(to)/lib/systemd/system' '$(to)/lib/sysusers.d' '$(DESTDIR)$(SYSCONFDIR)/telefile'
	install -m 755 '$(BINARY)' '$(to)/bin/telefile'
	umask 022 && '$(BINARY)' man '$(to)/share/man/man1'
	umask 022 && '$(BINARY)' completions bash >'$(to)/share/bash-completion/completions/telefile'
	umask 022 && '$(BINARY)' completions zsh >'$(to)/share/zsh/site-functions/_telefile'
	umask 022 && '$(BINARY)' completions fish >'$(to)/share/fish/vendor_completions.d/telefile.fish'
	umask 022 && sed 's|/usr/bin/|$(PREFIX)/bin/|; s|/etc/|$(SYSCONFDIR)/|' packaging/telefile.service \
		>'$(to)/lib/systemd/system/telefile.service'
	install -m 644 packaging/telefile.socket '$(to)/lib/systemd/system/telefile.socket'
	install -m 644 packaging/sysusers.conf '$(to)/lib/sysusers.d/telefile.conf'
	@# The settings of an earlier installation stay.
	[ -e '$(DESTDIR)$(SYSCONFDIR)/telefile/telefile.toml' ] || \
		install -m 644 packaging/telefile.toml '$(DESTDIR)$(SYSCONFDIR)/telefile/telefile.toml'

uninstall:
	rm -f '$(to)/bin/telefile' '$(to)/share/man/man1/telefile.1' '$(to)/share/man/man1/telefile'-*.1 \
		'$(to)/share/bash-completion/completions/telefile' '$(to)/share/zsh/site-functions/_telefile' \
		'$(to)/share/fish/vendor_completions.d/telefile.fish' '$(to)/lib/systemd/system/telefile.service' \
		'$(to)/lib/systemd/system/telefile.socket' '$(to)/lib/sysusers.d/telefile.conf'

deb:
	@$(CARGO) deb --version >/dev/null 2>&1 || \
		{ echo 'cargo-deb is not installed. This installs it: cargo install cargo-deb --locked' >&2; exit 1; }
	+$(package)
	rm -rf target/package
	$(MAKE) install BINARY='$(BINARY)' DESTDIR=target/package PREFIX=/usr
	strip target/package/usr/bin/telefile # cargo-deb does so only to what it has built
	$(CARGO) deb --no-build $(ARGS)

test:
	@CARGO='$(CARGO)' tests/stages.sh

test-protocol:
	@if [ -n "$$TELEFILE_TEST_ADDR" ]; then \
		$(CARGO) test -q --test it -- --ignored --nocapture protocol::against_a_server_elsewhere; \
	else \
		$(CARGO) test -q --test it -- protocol::; \
	fi

book:
	@CARGO='$(CARGO)' tests/book.sh

plots:
	python3 benches/plots.py

soak:
	TELEFILE_TEST_KILLS=$${TELEFILE_TEST_KILLS:-500} $(CARGO) test --test it process::kills -- --nocapture
	TELEFILE_TEST_SCHEDULES=$${TELEFILE_TEST_SCHEDULES:-20000} $(CARGO) test --lib \
		sync::tests::model::nothing_is_lost_whatever_crashes -- --nocapture
	TELEFILE_TEST_CHURN=$${TELEFILE_TEST_CHURN:-50} $(CARGO) test --test it process::sync::churn -- --nocapture

soak-etcd:
	TELEFILE_TEST_FAULTS=$${TELEFILE_TEST_FAULTS:-100} $(CARGO) test --features etcd-tls --test it etcd::failovers::soak -- --ignored --nocapture

fuzz:
	@fuzz/run.sh

bench:
	$(CARGO) bench --bench compare -- $(ARGS)

bench-data:
	$(CARGO) bench --bench compare -- --data $(ARGS)

bench-etcd:
	$(CARGO) bench --features etcd --bench compare -- --etcd $(ARGS)

bench-watch:
	$(CARGO) bench --bench watch -- $(ARGS)

bench-framework:
	$(CARGO) bench --bench framework -- $(ARGS)

bench-sync:
	$(CARGO) build -q --release
	python3 benches/sync.py $(ARGS)

fmt:
	$(CARGO) fmt

.PHONY: help run run-etcd build built install uninstall deb test test-protocol book plots soak soak-etcd fuzz bench bench-data bench-etcd bench-watch bench-framework bench-sync fmt
