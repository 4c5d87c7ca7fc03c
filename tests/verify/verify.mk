# A program that makes a product of any size out of nothing, for the tests of signing and verifying.
$(BUILD)/make_product: $(call obj,tests/verify/make_product.c tests/lib/compose.c) $(BUILD)/libpacker.a $(BUILD)/libverify.a $(BUILD)/libformat.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS) -pthread

# Mutated bytecode that the verifier accepts.
$(BUILD)/make_mutants: $(call obj,tests/verify/make_mutants.c tests/lib/mpy_mutate.c) $(BUILD)/libformat.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS)

test: $(BUILD)/make_product $(BUILD)/make_mutants
bench: $(BUILD)/make_product

# The sample boot loader on this machine.
$(BUILD)/boot_host: $(call obj,tests/verify/boot_host.c samples/bootloader/boot.c) $(BUILD)/libverify.a $(BUILD)/libformat.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS)

test: $(BUILD)/boot_host

$(BUILD)/time_verify: $(call obj,tests/bench/time_verify.c) $(BUILD)/libverify.a $(BUILD)/libformat.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS)

bench: $(BUILD)/time_verify
