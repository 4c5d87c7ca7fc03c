# make fuzz: every target tests/fuzz/fuzz_NAME.c for FUZZ_TIME seconds each, with libFuzzer, ASan and
# UBSan. FUZZ=NAME runs one. A new target is a new file: it defines LLVMFuzzerTestOneInput and, if it
# can make inputs by itself, fuzz_seed (see fuzz.h). Files here that are not fuzz_*.c are shared.
#
# What was found lies in $(FUZZ_DIR)/found; `make fuzz-run` runs the seeds and FUZZ_INPUTS (files or
# folders) through all targets without a fuzzer; `make fuzz-reach` says what the inputs reach. For
# AFL++: make fuzz-afl, then afl-fuzz -i build/afl/seeds/NAME -o OUT -- build/afl/NAME.
FUZZ_TIME ?= 60
# 0 = another seed every run; a fixed one makes runs comparable.
FUZZ_SEED ?= 0
FUZZ      ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_DIR  ?= build/fuzz
FUZZ_INPUTS ?=
FUZZ_CC   ?= clang
FUZZ_CFLAGS := -O1 -g -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
# No input (98304 bytes at most: flash images begin with 32 KiB of other things) may allocate more than
# 512 MiB at once, or 2048 MiB in all, sanitizers included. -timeout is for endless loops on machines
# that are busy with other things, too; that no input takes more than a second of processor time per
# 100 KB is checked behind each run, without sanitizers, on all inputs that were kept (driver.c).
FUZZ_LIMITS := -timeout=120 -rss_limit_mb=2048 -malloc_limit_mb=512 -max_len=98304
# Sanitizers of older compilers do not start on kernels that spread addresses widely.
FUZZ_STILL := $(shell setarch -R true 2>/dev/null && echo setarch -R)

comma := ,
FUZZ_SHARED := $(filter-out tests/fuzz/fuzz_%.c tests/fuzz/driver.c,$(wildcard tests/fuzz/*.c)) \
               tests/unit/image_make.c tests/unit/firmware_fixture.c $(wildcard tests/lib/*.c)

# Within the sub-makes BUILD is the folder and FUZZ_LINK what makes a program of a target.
$(BUILD)/libfuzz.a: $(call obj,$(FUZZ_SHARED))
$(BUILD)/target-%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_DRIVER) $(BUILD)/libfuzz.a $(BUILD)/libpacker.a $(BUILD)/libverify.a $(BUILD)/libformat.a
	$(CC) $(SAN) $(FUZZ_LINK) $(FUZZ_WRAP) $(LDFLAGS) -o $@ $^ $(LIBS) $(PACKER_LIBS)
$(BUILD)/target-manifest: FUZZ_WRAP := $(patsubst %,-Wl$(comma)--wrap=%,open opendir stat lstat realpath)

fuzz-plain:
	$(MAKE) -s BUILD=$(FUZZ_DIR)/run CC=$(FUZZ_CC) CFLAGS='$(FUZZ_CFLAGS)' FUZZ_DRIVER=$(FUZZ_DIR)/run/tests/fuzz/driver.o \
	  $(FUZZ:%=$(FUZZ_DIR)/run/target-%)

fuzz-build: fuzz-plain
	$(MAKE) -s BUILD=$(FUZZ_DIR)/san CC=$(FUZZ_CC) CFLAGS='$(FUZZ_CFLAGS)' SANITIZE=fuzzer-no-link,address,undefined \
	  FUZZ_LINK=-fsanitize=fuzzer $(FUZZ:%=$(FUZZ_DIR)/san/target-%)

fuzz: fuzz-build
	@for t in $(FUZZ); do echo "fuzzing $$t for $(FUZZ_TIME) s"; \
	  ASAN_OPTIONS=allocator_may_return_null=1 tests/fuzz/run.sh $(FUZZ_DIR) $$t $(FUZZ_STILL) $(FUZZ_DIR)/san/target-$$t \
	    $(FUZZ_LIMITS) -max_total_time=$(FUZZ_TIME) -seed=$(FUZZ_SEED) -print_final_stats=1 || exit 1; done

fuzz-run: fuzz-build
	@for t in $(FUZZ); do mkdir -p $(FUZZ_DIR)/seeds/$$t && \
	  $(FUZZ_DIR)/run/target-$$t --seeds $(FUZZ_DIR)/seeds/$$t && \
	  $(FUZZ_DIR)/run/target-$$t $(FUZZ_DIR)/seeds/$$t $(FUZZ_INPUTS) || exit 1; done

# afl-clang-fast brings a main of its own, which runs many inputs in one process; the seeds are
# written by the other build.
fuzz-afl: fuzz-plain
	$(MAKE) -s BUILD=build/afl CC=afl-clang-fast CFLAGS='$(FUZZ_CFLAGS)' FUZZ_LINK=-fsanitize=fuzzer $(FUZZ:%=build/afl/target-%)
	@for t in $(FUZZ); do cp build/afl/target-$$t build/afl/$$t && mkdir -p build/afl/seeds/$$t && \
	  $(FUZZ_DIR)/run/target-$$t --seeds build/afl/seeds/$$t || exit 1; done

# What seeds and kept inputs of each target reach in the files that it is meant for (reach.txt); the
# functions that no input enters are listed in $(FUZZ_REACH)/NAME.missed. FUZZ_INPUTS: folders like
# $(FUZZ_DIR)/corpus to run, too.
FUZZ_REACH := $(FUZZ_DIR)/reach
fuzz-reach:
	$(MAKE) -s BUILD=$(FUZZ_REACH) CC=$(FUZZ_CC) CFLAGS='$(FUZZ_CFLAGS) -fprofile-instr-generate -fcoverage-mapping' \
	  LDFLAGS=-fprofile-instr-generate FUZZ_DRIVER=$(FUZZ_REACH)/tests/fuzz/driver.o $(FUZZ:%=$(FUZZ_REACH)/target-%)
	@for t in $(FUZZ); do tests/fuzz/reach.sh $(FUZZ_REACH) $$t $(wildcard $(FUZZ_DIR)/corpus) $(FUZZ_INPUTS) || exit 1; done

.PHONY: fuzz fuzz-plain fuzz-build fuzz-run fuzz-afl fuzz-reach
