// Espressif chips: does machine code run from the flash that frozen modules go to?
//
// The ESP32 and the ESP32-S2 map constants and code by tables of their own; what is mapped as
// constants cannot be executed. The others have one table, and each byte of flash can be executed,
// unless the firmware's own memory protection forbids it. On Xtensa that is set for pieces of
// 512 MiB, and code has one of them; for RISC-V see pmp.c.
//
// Facts: ESP-IDF soc/*/include/soc/ext_mem_defs.h, soc_caps.h (SOC_MMU_DI_VADDR_SHARED),
// esp_hw_support/port/*/cpu_region_protect.c; the chips' technical reference manuals, "System and
// Memory".
#include "format/firmware/scan.h"

static bool is_xtensa(enum mpy_arch a)
{
    return a == MPY_ARCH_XTENSA || a == MPY_ARCH_XTENSAWIN;
}

static const char *why_not(const struct scan *s, uint64_t data)
{
    const struct image *img = s->view.image;
    const struct firmware *fw = s->fw;
    uint64_t code = image_code_address(img, data, 1, data);
    bool xtensa = fw->isa == IMAGE_ISA_XTENSA;
    if (xtensa != is_xtensa(fw->mpy_arch)) {
        return "this chip does not run the kind of machine code that the firmware says it takes";
    }
    if (!code) {
        return "this chip cannot run code from flash that is mapped for constants, which is where "
               "frozen modules go to";
    }
    enum fw_tri allowed =
        xtensa ? FW_YES : pmp_allows_running(s, code, img->code_window + img->window);
    return allowed == FW_YES  ? NULL
           : allowed == FW_NO ? "the firmware protects the flash of its constants, which is where "
                                "frozen modules go to, from being run"
                              : "how the firmware protects its memory was not understood: the "
                                "flash that frozen modules go to may be kept from being run";
}

void protect_scan(struct scan *s, uint64_t data)
{
    struct firmware *fw = s->fw;
    if (fw->mpy_arch == MPY_ARCH_NONE) {
        return;
    }
    fw->code_why = why_not(s, data);
    fw->code_runs = fw->code_why ? FW_NO : FW_YES;
    uint64_t code = image_code_address(s->view.image, data, 1, data);
    if (fw->code_why) {
        scan_note(s, "machine code", data, fw->code_why, "refused");
    } else {
        scan_note(s, "machine code", data, "that flash can be run, too", "runs from 0x%llx on",
                  (unsigned long long)code);
    }
}
