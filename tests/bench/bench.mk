# make bench: the figures the project promises, measured here and now, most of them as ratios to the
# reference tools in the same run. BENCH=compiler runs one group.
BENCH ?=

$(BUILD)/bench-measure: $(call obj,tests/bench/measure.c)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^

$(BUILD)/bench-shapes: $(call obj,tests/bench/shapes.c tests/lib/shapes.c) $(BUILD)/libformat.a
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS)

bench: all $(BUILD)/bench-measure $(BUILD)/bench-shapes
	python3 tests/bench/run.py --build $(BUILD) $(BENCH)

.PHONY: bench
