// Build options that change layouts, each from evidence in the image.
#include "format/firmware/scan.h"

enum diag_code option_scan(struct scan *s)
{
    (void)s;
    return DIAG_OK;
}
