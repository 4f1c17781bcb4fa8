# Everything here works on a fresh machine with Python 3.11 or later and nothing else.

PYTHON ?= python3
VENV ?= .venv
READER ?= all
SECONDS ?= 60
SEED ?= 0
JOBS ?= 1
TOOLS := $(VENV)/tools
PIN = $(TOOLS)/bin/uv pip compile --quiet --universal --generate-hashes --no-annotate \
	--python-version 3.11 --constraint constraints.txt --custom-compile-command 'make pins'
RUN := $(VENV)/bin

.PHONY: help demo test check docs man site golden fuzz sanitize bench

help:
	@echo "make demo    train a federation, compromise five participants, find them"
	@echo "make test    run the tests"
	@echo "make check   check format, lint and types"
	@echo "make docs    write generated pages again, such as docs/commands.md"
	@echo "make site    build the site of the documentation in dist/site"
	@echo "make man     write dist/man, a manual page of each command"
	@echo "make golden  make the golden reports of fixtures/ again"
	@echo "make pins    write requirements.txt and requirements-all.txt again: each dependency with its hashes"
	@echo "make sbom    write dist/sbom.cdx.json, a list of all components"
	@echo "make fuzz    try hostile inputs; READER=npz for one reader, SECONDS=600 for each, SEED=1 for the same inputs"
	@echo "make sanitize  test the compiled kernels under sanitizers; SECONDS=600 for longer"
	@echo "make bench   measure the speed of audits and training"

demo: $(VENV)/.complete
	rm -rf runs/demo runs/demo.partial
	$(RUN)/ariba simulate runs/demo
	$(RUN)/ariba attack runs/demo/round_0040 --out runs/demo/attacked
	$(RUN)/ariba audit runs/demo/round_0040
	$(RUN)/ariba audit runs/demo/attacked --truth

test: $(VENV)/.complete
	$(RUN)/python -m pytest -n auto --dist worksteal

check: $(VENV)/.complete
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy

docs: $(VENV)/.complete
	$(RUN)/python -m docs.make

man: $(VENV)/.complete
	$(RUN)/python -m docs.man dist/man

golden: $(VENV)/.complete
	$(RUN)/python fixtures/make.py --golden-only

.PHONY: pins sbom

# hatchling builds the package, where nothing may be fetched for that.
pins: $(TOOLS)/.complete
	echo hatchling | $(PIN) --output-file requirements.txt pyproject.toml -
	echo hatchling | $(PIN) --extra all --output-file requirements-all.txt pyproject.toml -

sbom: $(TOOLS)/.complete
	mkdir -p dist
	$(TOOLS)/bin/cyclonedx-py requirements requirements-all.txt --pyproject pyproject.toml \
		--output-reproducible --output-file dist/sbom.cdx.json

site: $(VENV)/.site
	NO_MKDOCS_2_WARNING=1 $(RUN)/python -m mkdocs build --strict --quiet

fuzz: $(VENV)/.fuzz
	$(RUN)/python -m tests.fuzz $(READER) --seconds $(SECONDS) --jobs $(JOBS) --seed $(SEED)

sanitize: $(VENV)/.complete
	$(RUN)/python -m tests.sanitize --seconds $(SECONDS)

bench: $(VENV)/.complete
	$(RUN)/python -m benchmarks --json runs/bench.json

$(VENV)/.site: $(VENV)/.complete
	$(RUN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

$(VENV)/.fuzz: $(VENV)/.complete
	$(RUN)/pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	touch $@

$(VENV)/.complete: pyproject.toml constraints.txt hatch_build.py ariba_cli/native/kernels.c
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(TOOLS)/.complete: constraints.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --constraint constraints.txt cyclonedx-bom uv
	touch $@
