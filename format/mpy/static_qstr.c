// The static qstrs: strings every MicroPython from 1.19 to 1.29 knows under the same number, so
// that a .mpy file may name them by it.
//
// Facts: MicroPython py/makeqstrdata.py, static_qstr_list.
#include <string.h>

#include "format/mpy/mpy.h"

static const char *const static_qstrs[MPY_STATIC_QSTRS] = {
    "",
    "__dir__",
    "\n",
    " ",
    "*",
    "/",
    "<module>",
    "_",
    "__call__",
    "__class__",
    "__delitem__",
    "__enter__",
    "__exit__",
    "__getattr__",
    "__getitem__",
    "__hash__",
    "__init__",
    "__int__",
    "__iter__",
    "__len__",
    "__main__",
    "__module__",
    "__name__",
    "__new__",
    "__next__",
    "__qualname__",
    "__repr__",
    "__setitem__",
    "__str__",
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "EOFError",
    "Ellipsis",
    "Exception",
    "GeneratorExit",
    "ImportError",
    "IndentationError",
    "IndexError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "NameError",
    "NoneType",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "RuntimeError",
    "StopIteration",
    "SyntaxError",
    "SystemExit",
    "TypeError",
    "ValueError",
    "ZeroDivisionError",
    "abs",
    "all",
    "any",
    "append",
    "args",
    "bool",
    "builtins",
    "bytearray",
    "bytecode",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "clear",
    "close",
    "const",
    "copy",
    "count",
    "dict",
    "dir",
    "divmod",
    "end",
    "endswith",
    "eval",
    "exec",
    "extend",
    "find",
    "format",
    "from_bytes",
    "get",
    "getattr",
    "globals",
    "hasattr",
    "hash",
    "id",
    "index",
    "insert",
    "int",
    "isalpha",
    "isdigit",
    "isinstance",
    "islower",
    "isspace",
    "issubclass",
    "isupper",
    "items",
    "iter",
    "join",
    "key",
    "keys",
    "len",
    "list",
    "little",
    "locals",
    "lower",
    "lstrip",
    "main",
    "map",
    "micropython",
    "next",
    "object",
    "open",
    "ord",
    "pop",
    "popitem",
    "pow",
    "print",
    "range",
    "read",
    "readinto",
    "readline",
    "remove",
    "replace",
    "repr",
    "reverse",
    "rfind",
    "rindex",
    "round",
    "rsplit",
    "rstrip",
    "self",
    "send",
    "sep",
    "set",
    "setattr",
    "setdefault",
    "sort",
    "sorted",
    "split",
    "start",
    "startswith",
    "staticmethod",
    "step",
    "stop",
    "str",
    "strip",
    "sum",
    "super",
    "throw",
    "to_bytes",
    "tuple",
    "type",
    "update",
    "upper",
    "utf-8",
    "value",
    "values",
    "write",
    "zip",
};

// Indices of static_qstrs by length, then by bytes.
static const uint8_t static_sorted[MPY_STATIC_QSTRS] = {
    0,   2,   3,   4,   5,   7,   90,  56,  57,  58,  67,  75,  77,  85,  93, 104, 106, 113, 118,
    119, 121, 138, 139, 150, 152, 164, 60,  61,  72,  74,  79,  80,  82,  89, 102, 103, 105, 107,
    112, 115, 117, 124, 129, 136, 137, 142, 148, 149, 157, 65,  69,  70,  71, 73,  91,  101, 110,
    122, 123, 131, 133, 144, 145, 151, 153, 154, 156, 159, 160, 161, 163, 59, 76,  81,  83,  92,
    108, 109, 111, 116, 127, 132, 134, 135, 143, 158, 162, 47,  1,   17,  19, 23,  28,  86,  87,
    88,  94,  95,  97,  98,  100, 120, 128, 130, 140, 6,   33,  34,  40,  45, 8,   12,  15,  16,
    18,  20,  22,  24,  26,  62,  64,  66,  78,  125, 126, 155, 35,  44,  53, 9,   11,  63,  39,
    52,  54,  21,  84,  96,  99,  141, 146, 37,  42,  43,  51,  10,  13,  14, 27,  68,  114, 49,
    25,  147, 32,  36,  48,  50,  30,  31,  29,  38,  41,  55,  46,
};

const char *mpy_static_qstr(unsigned id)
{
    return id >= 1 && id <= MPY_STATIC_QSTRS ? static_qstrs[id - 1] : NULL;
}

static int static_compare(const char *s, size_t n, const char *entry)
{
    size_t m = strlen(entry);
    if (n != m) {
        return n < m ? -1 : 1;
    }
    return memcmp(s, entry, n);
}

unsigned mpy_static_qstr_find(const char *s, size_t n)
{
    unsigned low = 0, high = MPY_STATIC_QSTRS;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        int order = static_compare(s, n, static_qstrs[static_sorted[mid]]);
        if (order == 0) {
            return static_sorted[mid] + 1u;
        }
        if (order < 0) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return 0;
}
