# Commands for people: make demo, make test, make bench, make accuracy, make install. Each installs
# what it needs (Debian packages with apt-get, Python packages in .venv) and says so.

PYTHON ?= python3
TOOLS := buildah runc containers-storage skopeo busybox-static libfaketime locales e2fsprogs \
	util-linux mount git bubblewrap diffoscope-minimal ca-certificates gpgv $(VENV_PACKAGE)
EXTRA := mmdebstrap docker-registry
# What makes the files that the tests read, and the programs of the benchmark's images.
MADE_BY := apt-utils binutils bzip2 cpio gcc gpg gpg-agent libc6-dev xz-utils zip zstd
VENV_PACKAGE := $(if $(wildcard .venv),,python3-venv)

# Live tests wait longer than they compute: for a clock, a disk, a signal, a server.
WORKERS := $(shell echo $$(($$(nproc) * 5 / 2)))

.DEFAULT_GOAL := help
.PHONY: help install develop test demo bench accuracy check-reports check-attestations check-sign-off lint clean

help:
	@echo "make install   the tool, at .venv/bin/repaudit"
	@echo "make demo      audit a faulty image and its repaired neighbour"
	@echo "make test      every test"
	@echo "make bench     speed, as ratios to the bare tools"
	@echo "make accuracy  how often --explain names what was planted; some ten minutes"
	@echo "make check-reports  HTML in a browser with axe, SARIF by GitHub's rules"
	@echo "make check-attestations  bundles by sigstore-js; check-sign-off: in a root of Debian packages"

install: .venv/installed
	@echo "repaudit is at .venv/bin/repaudit"

# $(call packages,NAMES): install those Debian packages that are missing.
packages = @missing=$$(dpkg-query -W -f='$${Package} $${db:Status-Status}\n' $(1) 2>/dev/null \
	| awk '$$2 == "installed" {print $$1}' > .venv-have; \
	for p in $(1); do grep -qx "$$p" .venv-have || printf '%s ' "$$p"; done; rm -f .venv-have); \
	if [ -n "$$missing" ]; then echo "installing Debian packages: $$missing"; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -qq -y --no-install-recommends $$missing >/dev/null; fi

.PHONY: tools extra made-by
tools:
	$(call packages,$(TOOLS))
extra: tools
	$(call packages,$(EXTRA))
made-by: tools
	$(call packages,$(MADE_BY))

.venv/installed: pyproject.toml | tools
	@echo "installing repaudit and its Python packages in .venv"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[attest,corim]'
	@.venv/bin/python -m compileall -q repaudit
	@touch $@

.venv/developing: pyproject.toml .venv/installed | extra made-by
	@echo "installing what the tests need in .venv"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[attest,corim,dev]'
	@touch $@

develop: .venv/developing

test: tools extra .venv/developing
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy
	@.venv/bin/python -m pytest -n $(WORKERS) --dist worksteal

demo: tools extra .venv/installed
	@.venv/bin/python -m tests.demo

bench: tools extra .venv/developing
	@.venv/bin/python -m tests.bench
	@.venv/bin/python -m tests.bench_pins
	@.venv/bin/python -m tests.bench_diff
	@.venv/bin/python -m tests.bench_explain
	@.venv/bin/python -m tests.bench_diffoscope

accuracy: tools extra .venv/developing
	@.venv/bin/python -m tests.accuracy --write

check-reports: tools .venv/developing
	$(call packages,chromium $(if $(shell sh -c 'command -v npm'),,npm))
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	@.venv/bin/python -m tests.browser

# A second implementation verifies what repaudit signs; needs node and npm (Debian: nodejs npm).
check-attestations: tests/independent/node_modules .venv/developing
	@.venv/bin/python -m tests.check_attestations

tests/independent/node_modules: tests/independent/package.json
	@npm install --silent --no-audit --no-fund --no-package-lock --prefix tests/independent
	@touch $@

# A stranger checks a sign-off in a root of a few Debian packages, without Python and network.
check-sign-off: tools extra .venv/developing
	@.venv/bin/python -m tests.check_sign_off

clean:
	rm -rf .venv build dist
