# What takes minutes: make analyze, make valgrind, make coverage.

# gcc's and clang's static analyzers. Only what has changed is analyzed again; -j works, -k is implied.
# They see one file at a time, so they are told what holds beyond it (DIAG_ANALYZED, ARENA_ANALYZED).
# gcc's cannot follow the trees of compiler and manifest, nor that the cache owns what it was given,
# nor that inputs which are no scripts need no options of the compiler. clang's does not see that
# arrays exist whose count is not 0, nor that what a command reports on was made before. Only in the
# rooms and files named here is that not looked for; tests with sanitizers run there.
ANALYZED      := $(FORMAT) $(VERIFY) $(PACKER) $(MAINS)
ANALYZE       := build/analyze
ANALYZE_ARGS   = $(WARN) $(DEFS) -DDIAG_ANALYZED -Wno-unused-value $(ANALYZE_MORE) -MMD -MP -MF $@.d -MT $@
GCC_ANALYZE    = gcc $(ANALYZE_ARGS) -O1 -fanalyzer $(GCC_MORE)
CLANG_ANALYZE  = clang --analyze $(ANALYZE_ARGS) -Xclang -analyzer-werror $(CLANG_MORE)

$(ANALYZE)/packer/cli/% $(ANALYZE)/packer/compiler/% $(ANALYZE)/packer/manifest/%: ANALYZE_MORE = -DARENA_ANALYZED
$(ANALYZE)/packer/compiler/% $(ANALYZE)/packer/manifest/%: \
	GCC_MORE = -Wno-analyzer-null-dereference -Wno-analyzer-null-argument
$(ANALYZE)/packer/cli/inputs.c.%: GCC_MORE = -Wno-analyzer-null-dereference
$(ANALYZE)/packer/cli/cache.c.%: GCC_MORE = -Wno-analyzer-malloc-leak
$(ANALYZE)/packer/% $(ANALYZE)/format/image/elf.c.% $(ANALYZE)/format/mpy/dis.c.%: \
	CLANG_MORE = -Xclang -analyzer-disable-checker -Xclang core.NullDereference \
	-Xclang -analyzer-disable-checker -Xclang core.NonNullParamChecker
$(ANALYZE)/format/diag.c.% $(ANALYZE)/format/firmware/unfreeze.c.%: ANALYZE_MORE = -UDIAG_ANALYZED

$(ANALYZE)/%.gcc: %
	@mkdir -p $(@D)
	$(GCC_ANALYZE) -c -o /dev/null $<
	@touch $@

$(ANALYZE)/%.clang: %
	@mkdir -p $(@D)
	$(CLANG_ANALYZE) -o /dev/null $<
	@touch $@

analyze-files: $(ANALYZED:%=$(ANALYZE)/%.gcc) $(ANALYZED:%=$(ANALYZE)/%.clang)

analyze:
	@$(MAKE) -s -k analyze-files || { echo "analyze: not clean"; exit 1; }
	@echo "analyze: $(words $(ANALYZED)) files are clean by gcc -fanalyzer and by clang --analyze"

-include $(ANALYZED:%=$(ANALYZE)/%.gcc.d) $(ANALYZED:%=$(ANALYZE)/%.clang.d)

# valgrind over the unit tests and over the programs in a set of scripts: compiling, building for raw
# images and ELF files, reading, signing, verifying, projects, and their errors. Sweeps (every byte,
# every truncation, every allocation) and what measures time are left to the sanitizers, under which
# they take seconds and here hours. A quarter of an hour of processor time, shared by the processors.
VALGRIND_TESTS   ?= !(cut|memory|mutants|shapes)/!(*flip*|*truncat*|*every_byte*|*every_changed*|*damage*|*limit*|*deep*|*large*|*quick*)
VALGRIND_SCRIPTS ?= $(patsubst %,tests/%.test.sh, golden/cli \
	e2e/build e2e/main_job e2e/module_list e2e/modules e2e/native e2e/signatures \
	projects/project projects/production verify/hsm verify/results)
valgrind:
	$(MAKE) BUILD=build/valgrind STATIC= all build/valgrind/unit build/valgrind/make_product
	valgrind --quiet --error-exitcode=9 --leak-check=full --trace-children=yes build/valgrind/unit -j$$(nproc) --timeout 600 \
	  --filter '$(VALGRIND_TESTS)'
	tests/lib/valgrind.sh build/valgrind $(VALGRIND_SCRIPTS)

# Line and branch coverage of the tests, by file; the sums come last, with the goals for format/ and
# verify/. Counts of earlier runs are forgotten. Left out is what measures memory and steps, makes builds
# of its own, fails allocations, which the counts make themselves, or does to every byte what the unit
# tests do to a sample: there is nothing more to count. The sums come also when a test has failed.
COVERAGE_UNITS   ?= !(shapes)/*
COVERAGE_SCRIPTS ?= $(filter-out tests/bench/% tests/faults/faults.% tests/verify/flips.% tests/verify/mutants.%, \
	$(wildcard tests/*/*.test.sh))
coverage:
	find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(MAKE) BUILD=build/coverage CC=gcc CFLAGS='-O0 -g --coverage' LDFLAGS=--coverage \
	  UNITS='$(COVERAGE_UNITS)' SCRIPTS='$(COVERAGE_SCRIPTS)' test; \
	  tested=$$?; tests/lib/coverage.py build/coverage && exit $$tested

.PHONY: analyze analyze-files valgrind coverage
