// The filter of ../hello-filter straight on the WIT package: answers `/hello`
// by itself, and puts `x-hello` on every other response.

#include <stdlib.h>
#include <string.h>

#include "hello.h"

#define LONGEST_NAME 64

// One instance of the component serves one step on one worker, and is called
// by one thread at a time: plain statics are its state.
static char name[LONGEST_NAME + 1] = "world";

static const char SCHEMA[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"name\":{"
    "\"description\":\"Who is greeted.\",\"type\":\"string\","
    "\"pattern\":\"^[A-Za-z0-9 .-]{1,64}$\",\"default\":\"world\"}}}";

void exports_portcullis_gateway_metadata_describe(
    exports_portcullis_gateway_metadata_description_t *description) {
  hello_string_dup(&description->summary,
                   "Answers /hello and puts x-hello on every other response");
  hello_string_dup(&description->version, "0.1.0");
  description->config_schema.is_some = true;
  hello_string_dup(&description->config_schema.val, SCHEMA);
}

// The text fits the schema above: the gateway has checked it. So it is an
// object with at most the one member, whose value holds no quote and no escape.
bool exports_portcullis_gateway_configuration_configure(hello_string_t *config,
                                                        hello_string_t *error) {
  static const char KEY[] = "\"name\"";
  const char *text = (const char *)config->ptr;
  const char *end = text + config->len;
  const char *at = memchr(text, '"', config->len);
  if (at != NULL) {
    at += sizeof KEY - 1;
    const char *open = at < end ? memchr(at, '"', end - at) : NULL;
    const char *close = open != NULL ? memchr(open + 1, '"', end - open - 1) : NULL;
    if (close == NULL || close - open - 1 > LONGEST_NAME) {
      hello_string_dup(error, "`name` is not a name");
      hello_string_free(config);
      return false;
    }
    memcpy(name, open + 1, close - open - 1);
    name[close - open - 1] = '\0';
  }
  hello_string_free(config);
  return true;
}

static hello_list_u8_t bytes(char *text) {
  return (hello_list_u8_t){.ptr = (uint8_t *)text, .len = strlen(text)};
}

exports_portcullis_gateway_request_verdict_t
exports_portcullis_gateway_request_on_request(void) {
  hello_string_t path;
  portcullis_gateway_exchange_path(&path);
  bool ours = path.len == 6 && memcmp(path.ptr, "/hello", 6) == 0;
  hello_string_free(&path);
  if (!ours) return PORTCULLIS_GATEWAY_VERDICTS_VERDICT_NEXT;

  char text[LONGEST_NAME + 16] = "hello, ";
  strcat(strcat(text, name), "!\n");
  portcullis_gateway_exchange_field_t type;
  hello_string_set(&type.f0, "content-type");
  type.f1 = bytes("text/plain");
  portcullis_gateway_exchange_list_field_t headers = {.ptr = &type, .len = 1};
  hello_list_u8_t body = bytes(text);
  portcullis_gateway_exchange_refusal_t refusal;
  return portcullis_gateway_exchange_respond(200, &headers, &body, &refusal)
             ? PORTCULLIS_GATEWAY_VERDICTS_VERDICT_RESPOND
             : PORTCULLIS_GATEWAY_VERDICTS_VERDICT_FAIL;
}

exports_portcullis_gateway_response_verdict_t
exports_portcullis_gateway_response_on_response(void) {
  hello_string_t header;
  hello_string_set(&header, "x-hello");
  hello_list_u8_t value = bytes(name);
  portcullis_gateway_exchange_refusal_t refusal;
  return portcullis_gateway_exchange_set_response_header(&header, &value, &refusal)
             ? PORTCULLIS_GATEWAY_VERDICTS_VERDICT_NEXT
             : PORTCULLIS_GATEWAY_VERDICTS_VERDICT_FAIL;
}
