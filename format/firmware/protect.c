// Espressif chips: does machine code run from the flash that frozen modules go to?
//
// The ESP32 and the ESP32-S2 map constants and code by tables of their own; what is mapped as
// constants cannot be executed. There machine code goes behind the program's own: the boot loader
// maps code by whole pages, and what its last page has left is nobody's. The others have one table,
// and each byte of flash can be executed, unless the firmware's own memory protection forbids it.
// On Xtensa that is set for pieces of 512 MiB, and code has one of them; for RISC-V see pmp.c.
//
// Facts: ESP-IDF bootloader_support/src/bootloader_utility.c, soc/*/include/soc/ext_mem_defs.h,
// soc_caps.h (SOC_MMU_DI_VADDR_SHARED), esp_hw_support/port/*/cpu_region_protect.c; the chips'
// technical reference manuals, "System and Memory".
#include "format/firmware/scan.h"

static bool is_xtensa(enum mpy_arch a)
{
    return a == MPY_ARCH_XTENSA || a == MPY_ARCH_XTENSAWIN;
}

enum { CODE_PAGE = 0x10000 };

static bool runs_apart(const struct scan *s)
{
    const struct image *img = s->view.image;
    return img->code_end && s->fw->isa == IMAGE_ISA_XTENSA;
}

static void find_room(const struct scan *s)
{
    const struct image *img = s->view.image;
    struct firmware *fw = s->fw;
    uint64_t room = image_room(img, img->code_end, UINT64_MAX), page = -img->code_end % CODE_PAGE;
    fw->code_at = img->code_end;
    fw->code_room = (page < room ? page : room) & ~(uint64_t)3;
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
    if (!code && !runs_apart(s)) {
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
    } else if (!code) {
        find_room(s);
        scan_note(s, "machine code", fw->code_at,
                  "this chip maps constants and code apart; the last page of the code has room",
                  "%llu bytes at 0x%llx", (unsigned long long)fw->code_room,
                  (unsigned long long)fw->code_at);
    } else {
        scan_note(s, "machine code", data, "that flash can be run, too", "runs from 0x%llx on",
                  (unsigned long long)code);
    }
}
