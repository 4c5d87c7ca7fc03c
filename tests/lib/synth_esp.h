// A made-up full-flash image of the ESP32 family around the firmware of synth.h: partition table,
// one app with constants, RAM and code, and in the code what ESP-IDF's flash mapper and its set-up
// of memory protection would have. Or an app of the ESP8266.
#ifndef TESTS_LIB_SYNTH_ESP_H
#define TESTS_LIB_SYNTH_ESP_H

#include <stdbool.h>

#include "format/bytes.h"

enum synth_esp_code {       // functions that have the end of the constants
    SYNTH_MAPPER = 1,       // the mapper: begin, end and the end of the window
    SYNTH_MAPPER_ALONE = 2, // the same without the window: start-up code looks so on the ESP32-S3
    SYNTH_SHARED = 4,       // a function for another purpose uses the mapper's constant
    SYNTH_ROUNDED = 8,      // the compiler has added what rounds up to pages
    SYNTH_EXTERNAL = 16,    // code has the page behind the constants
};

enum synth_esp_protect { // functions that set up the memory protection of RISC-V chips
    SYNTH_PROTECT_NONE,
    SYNTH_PROTECT_TOR,      // ranges by their ends, as on the ESP32-C3: all of the code's window
    SYNTH_PROTECT_WINDOW,   // a power of two, as on the ESP32-C6
    SYNTH_PROTECT_SPLIT,    // constants can be read only: ends that code rounds up to pages
    SYNTH_PROTECT_UNLOCKED, // the same without the lock that binds machine mode
    SYNTH_PROTECT_RESTORE,  // what was saved is written, no set-up
};

enum { SYNTH_ESP8266 = -1 };

struct synth_esp {
    int chip;        // 0 ESP32, 2 ESP32-S2, 5 ESP32-C3, 9 ESP32-S3, 13 ESP32-C6, SYNTH_ESP8266
    const char *idf; // as in the description of the app: "v5.2.2"
    bool psram;      // with the text by which the driver of external RAM is known
    unsigned code;   // synth_esp_code
    enum synth_esp_protect protect;
    uint32_t user_start; // ESP8266: what esp.flash_user_start gives; 0: it has no such function
    bool no_sum;         // ESP8266: without the length before and the MD5 behind the mapped part
};

enum { SYNTH_ESP_DESCRIPTION = 256 }; // bytes of the app's description, which comes first

uint32_t synth_esp_data(const struct synth_esp *esp); // where the constants are mapped
uint32_t synth_esp_code(const struct synth_esp *esp); // where the code is mapped
void synth_esp_description(const struct synth_esp *esp, struct bytes_out *out);
// Code that sets memory protection up, or something like it. end: of the constants.
void synth_esp_protection(const struct synth_esp *esp, uint32_t end, struct bytes_out *out);
// The flash image for constants, followed by code from offset code on.
void synth_esp_wrap(const struct synth_esp *esp, const struct bytes_out *content, uint32_t code,
                    struct bytes_out *out);

#endif
