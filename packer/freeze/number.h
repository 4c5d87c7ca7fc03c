// Numbers in .mpy constants are text; these read them. Internal to packer/freeze.
#ifndef PACKER_FREEZE_NUMBER_H
#define PACKER_FREEZE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "format/arena.h"

enum { NUMBER_TEXT_MAX = 20000 }; // digits of an int constant: conversion takes quadratic time

struct big { // magnitude in 32-bit digits, least significant first; no leading zeros
    bool negative;
    uint32_t n;
    uint32_t *digits;
};

// Decimal digits with an optional sign. False if the text is anything else or too long.
bool number_int(const uint8_t *text, uint32_t len, struct arena *a, struct big *out);
// True if the value fits a signed integer of that many bits; *out is the value then.
bool number_small(const struct big *b, unsigned bits, int64_t *out);
// What Python's repr writes: digits, exponent, inf, nan.
bool number_float(const uint8_t *text, uint32_t len, double *out);
// "1j", "(1+2j)", "(-0.5-infj)".
bool number_complex(const uint8_t *text, uint32_t len, double *real, double *imag);

#endif
