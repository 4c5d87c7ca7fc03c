#define _GNU_SOURCE // pthread_getattr_np
#include "packer/compiler/stack.h"

#include <pthread.h>
#include <stdint.h>

size_t stack_left(const char *here)
{
#if defined(__linux__)
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return 0;
    }
    int failed = pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    uintptr_t at = (uintptr_t)here, from = (uintptr_t)low;
    return !failed && at > from && at - from <= size ? at - from : 0;
#else
    (void)here;
    return 0;
#endif
}
