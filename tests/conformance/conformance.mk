# make conformance: byte equality with upstream's mpy-cross of every release (downloads them), and
# equal behaviour in a real VM. CONFORMANCE=quick bounds it to some minutes, as CI does;
# CONFORMANCE_FLAGS go to the runner (--releases 1.29.0 --corpora stdlib --seed 2 ...).
CONFORMANCE_FLAGS ?=

conformance: all
	python3 tests/conformance/run.py --build $(BUILD) $(if $(filter quick,$(CONFORMANCE)),--quick) $(CONFORMANCE_FLAGS)
	python3 tests/conformance/semantics.py --build $(BUILD) $(if $(filter quick,$(CONFORMANCE)),--quick)
	python3 tests/conformance/dis.py --build $(BUILD) $(if $(filter quick,$(CONFORMANCE)),--quick)

.PHONY: conformance
