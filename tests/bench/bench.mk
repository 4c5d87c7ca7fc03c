# make bench: the figures the project promises, measured here and now, most of them as ratios to the
# reference tools in the same run. BENCH=compiler runs one group.
BENCH ?=

bench: all
	python3 tests/bench/run.py --build $(BUILD) $(BENCH)

.PHONY: bench
