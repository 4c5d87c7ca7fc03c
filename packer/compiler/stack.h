// The C stack of the calling thread, so that deep nesting ends in an error and not in a crash.
#ifndef PACKER_COMPILER_STACK_H
#define PACKER_COMPILER_STACK_H

#include <stddef.h>

// Where the stack is now. Comparable within one thread.
static inline const char *stack_here(void)
{
    return __builtin_frame_address(0);
}
// Bytes from `here` to the end of the thread's stack; 0 if the system does not say.
size_t stack_left(const char *here);

#endif
