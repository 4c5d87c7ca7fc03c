# mpy-freeze. `make` builds everything under build/; see README.md for the other targets.
#
# BUILD=DIR, CC=, CFLAGS=, SANITIZE=address,undefined may be given; each variant wants its own BUILD.

VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
CC      ?= cc
CFLAGS  ?= -O2 -g
PKG_CONFIG ?= pkg-config

WARN := -std=c11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
DEFS := -I. -D_POSIX_C_SOURCE=200809L -DMPY_FREEZE_VERSION='"$(VERSION)"'

# mbedTLS 2.28 comes without a .pc file on some distributions.
CRYPTO_LIBS := $(shell $(PKG_CONFIG) --libs mbedcrypto 2>/dev/null || echo -lmbedx509 -lmbedcrypto)
CRYPTO_LIBS := -lmbedx509 $(filter-out -lmbedx509,$(CRYPTO_LIBS)) # users before what they use: static linking
LIBS   := $(shell $(PKG_CONFIG) --libs zlib libxxhash nettle) $(CRYPTO_LIBS) -lm -pthread
PACKER_LIBS := $(shell $(PKG_CONFIG) --libs inih 2>/dev/null || echo -linih)
DEFS   += $(shell $(PKG_CONFIG) --cflags zlib libxxhash nettle 2>/dev/null) $(shell $(PKG_CONFIG) --cflags mbedcrypto 2>/dev/null)

# The programs are linked statically where the machine has what that takes: starting them costs half
# as much then. STATIC= says no, STATIC=-static insists.
ifdef SANITIZE
SAN := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
STATIC ?=
else
STATIC ?= $(shell echo 'int main(void){return 0;}' | $(CC) -x c - -static -o /dev/null $(LIBS) $(PACKER_LIBS) 2>/dev/null && echo -static)
endif
STATIC := $(STATIC)

FORMAT := $(wildcard format/*.c format/*/*.c)
VERIFY := $(wildcard verify/*/*.c)
PACKER := $(filter-out packer/cli/main.c,$(wildcard packer/*/*.c))
UNIT   := $(wildcard tests/unit/*.c tests/lib/*.c)
MAINS  := packer/cli/main.c verify/host/main.c
VERIFY := $(filter-out verify/host/main.c,$(VERIFY))

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
PROGRAMS := $(BUILD)/mpy-freeze $(BUILD)/mpy-cross $(if $(wildcard verify/host/main.c),$(BUILD)/mpy-verify)

all: $(PROGRAMS)

$(BUILD)/mpy-freeze: $(call obj,packer/cli/main.c) $(BUILD)/libpacker.a $(BUILD)/libverify.a $(BUILD)/libformat.a
	$(CC) $(SAN) $(STATIC) $(LDFLAGS) -o $@ $^ $(LIBS) $(PACKER_LIBS)

# The same for tests that put a library in front of the C library.
$(BUILD)/dynamic/mpy-freeze: $(call obj,packer/cli/main.c) $(BUILD)/libpacker.a $(BUILD)/libverify.a $(BUILD)/libformat.a
	@mkdir -p $(@D)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS) $(PACKER_LIBS)

$(BUILD)/mpy-verify: $(call obj,verify/host/main.c) $(BUILD)/libverify.a $(BUILD)/libformat.a
	$(CC) $(SAN) $(STATIC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/mpy-cross: $(BUILD)/mpy-freeze
	ln -sf mpy-freeze $@

$(BUILD)/libformat.a: $(call obj,$(FORMAT))
$(BUILD)/libverify.a: $(call obj,$(VERIFY))
$(BUILD)/libpacker.a: $(call obj,$(PACKER)) $(BUILD)/packer/boards/table.o
$(BUILD)/lib%.a:
	@rm -f $@
	$(AR) rcs $@ $^

# The boards table: the .ini files as C strings.
BOARDS := $(sort $(wildcard packer/boards/*.ini))
$(BUILD)/packer/boards/table.c: $(BOARDS) Makefile
	@mkdir -p $(@D)
	@{ echo '#include "packer/boards/table.h"'; \
	  echo 'const struct boards_file boards_table[] = {'; \
	  for f in $(BOARDS); do printf '{"%s",\n' "$${f##*/}"; \
	    sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' "$$f"; echo '},'; done; \
	  echo '{0}};'; } >$@

$(BUILD)/packer/boards/table.o: $(BUILD)/packer/boards/table.c
	$(CC) $(WARN) $(DEFS) $(CFLAGS) $(SAN) -Wno-overlength-strings -MMD -MP -c -o $@ $<

# The compiler is where time is spent: -O3 makes it some 5% faster.
ifeq ($(origin CFLAGS),file)
$(BUILD)/packer/compiler/%.o: CFLAGS := -O3 -g
endif

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(WARN) $(DEFS) $(CFLAGS) $(SAN) -MMD -MP -c -o $@ $<

# Tests: unit tests (Criterion), then the scripts under tests/. UNITS='suite/*' and SCRIPTS=... run some.
UNITS   ?=
SCRIPTS ?=
$(BUILD)/unit: $(call obj,$(UNIT)) $(BUILD)/libpacker.a $(BUILD)/libverify.a $(BUILD)/libformat.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS) $(PACKER_LIBS) $(shell $(PKG_CONFIG) --libs criterion)

unit: $(BUILD)/unit
	$(BUILD)/unit

test: all $(BUILD)/unit
	UNITS='$(UNITS)' tests/run $(BUILD) $(SCRIPTS)

-include tests/*/*.mk

SOURCES := $(FORMAT) $(VERIFY) $(PACKER) $(UNIT) $(wildcard $(MAINS)) $(wildcard tests/*/*.c samples/*/*.c)
HEADERS := $(wildcard format/*.h format/*/*.h packer/*/*.h verify/*/*.h tests/*/*.h samples/*/*.h)

format:
	clang-format -i $(sort $(SOURCES) $(HEADERS))

check-format:
	clang-format --dry-run -Werror $(sort $(SOURCES) $(HEADERS))

check: check-format
	cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,portability --std=c11 -I. \
	  $(FORMAT) $(VERIFY) $(PACKER)
	clang-tidy --quiet $(FORMAT) $(VERIFY) $(PACKER) -- $(WARN) $(DEFS)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BUILD)/mpy-freeze $(DESTDIR)$(PREFIX)/bin/
	$(if $(wildcard verify/host/main.c),install -m 755 $(BUILD)/mpy-verify $(DESTDIR)$(PREFIX)/bin/)

demo:
	samples/demo.sh

clean:
	rm -rf $(BUILD)

.PHONY: all unit test format check-format check install demo clean
.SECONDARY:

-include $(patsubst %.o,%.d,$(call obj,$(sort $(SOURCES))))
