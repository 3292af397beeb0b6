// The filter of ../hello-filter straight on the WIT package: answers `/hello`
// by itself, and puts `x-hello` on every other response.

import exchange from "portcullis:gateway/exchange@0.1.0";

let name = "world";

export const metadata = {
  describe: () => ({
    summary: "Answers /hello and puts x-hello on every other response",
    version: "0.1.0",
    configSchema: JSON.stringify({
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      additionalProperties: false,
      properties: {
        name: {
          description: "Who is greeted.",
          type: "string",
          pattern: "^[A-Za-z0-9 .-]+$",
          default: "world",
        },
      },
    }),
  }),
};

export const configuration = {
  // The text fits the schema above: the gateway has checked it.
  configure(text) {
    name = JSON.parse(text).name ?? "world";
  },
};

export const request = {
  onRequest() {
    if (exchange.path() !== "/hello") return "next";
    const type = ["content-type", bytes("text/plain")];
    exchange.respond(200, [type], bytes(`hello, ${name}!\n`));
    return "respond";
  },
};

export const response = {
  onResponse() {
    exchange.setResponseHeader("x-hello", bytes(name));
    return "next";
  },
};

// Header values and bodies are bytes. The engine has no TextEncoder; the
// schema lets only ASCII through.
function bytes(text) {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
