#include "format/firmware/firmware.h"

const uint8_t *firmware_str_module(const struct firmware *fw, const struct fw_module *m,
                                   size_t *size)
{
    const uint8_t *text =
        m->kind == FW_MODULE_STR ? image_run_bytes(fw->image, m->addr, m->size) : NULL;
    *size = text ? (size_t)m->size : 0;
    return text;
}
