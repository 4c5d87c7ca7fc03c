// Whatever bytes come in, the document is JSON in valid UTF-8 that a terminal may be shown.
#include <criterion/criterion.h>

#include "format/json.h"

static struct bytes_out out;
static struct json j;

static void setup(void)
{
    bytes_out_init(&out);
    json_init(&j, &out);
}

static void teardown(void)
{
    bytes_out_free(&out);
}

TestSuite(json, .init = setup, .fini = teardown);

static void document_is(const char *want)
{
    bytes_put_u8(&out, 0);
    cr_expect_str_eq((const char *)out.data, want);
}

Test(json, every_kind_of_value)
{
    static const uint8_t bytes[] = {0x00, 0xff, 0x1a};
    json_object(&j, NULL);
    json_str(&j, "text", "a \"b\" \\");
    json_str(&j, "no text", NULL);
    json_uint(&j, "uint", UINT64_MAX);
    json_int(&j, "int", INT64_MIN);
    json_bool(&j, "yes", true);
    json_bool(&j, "no", false);
    json_null(&j, "null");
    json_hex(&j, "hex", bytes, sizeof bytes);
    json_addr(&j, "addr", 0x8000);
    json_array(&j, "empty");
    json_array_end(&j);
    json_array(&j, "list");
    json_uint(&j, NULL, 1);
    json_object(&j, NULL);
    json_object_end(&j);
    json_array_end(&j);
    json_object_end(&j);
    json_end(&j);
    document_is("{\n"
                "  \"text\": \"a \\\"b\\\" \\\\\",\n"
                "  \"no text\": null,\n"
                "  \"uint\": 18446744073709551615,\n"
                "  \"int\": -9223372036854775808,\n"
                "  \"yes\": true,\n"
                "  \"no\": false,\n"
                "  \"null\": null,\n"
                "  \"hex\": \"00ff1a\",\n"
                "  \"addr\": \"0x8000\",\n"
                "  \"empty\": [],\n"
                "  \"list\": [\n"
                "    1,\n"
                "    {}\n"
                "  ]\n"
                "}\n");
}

// Text as it comes, and as it is written.
static const struct {
    const char *text, *json;
} texts[] = {
    {"\xc3\xbc \xe4\xb8\x96 \xf0\x9f\x90\x8d", "\"\xc3\xbc \xe4\xb8\x96 \xf0\x9f\x90\x8d\""},
    {"\n\t\x1b\x7f", "\"\\u000a\\u0009\\u001b\\u007f\""},
    {"\xc2\x9b", "\"\\u009b\""},                   // a terminal's escape
    {"\xff", "\"\\ufffd\""},                       // never in UTF-8
    {"a\x80z", "\"a\\ufffdz\""},                   // a continuation alone
    {"\xc0\xaf", "\"\\ufffd\\ufffd\""},            // longer than it must be
    {"\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\""}, // the same in three bytes
    {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, // a surrogate
    {"\xf0\x80\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
    {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, // beyond the last character
    {"\xf5", "\"\\ufffd\""},
    {"\xe4\xb8", "\"\\ufffd\\ufffd\""}, // cut off
    {"\xe4z", "\"\\ufffdz\""},
};

Test(json, text_that_is_odd_or_no_utf8)
{
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        out.size = 0;
        json_init(&j, &out);
        json_strn(&j, NULL, texts[i].text, strlen(texts[i].text));
        document_is(texts[i].json);
    }
    out.size = 0;
    json_init(&j, &out);
    json_strn(&j, NULL, "a\0b", 3);
    document_is("\"a\\u0000b\"");
}
