"""A service over HTTP/1.1 that does what conformance is about: bodies up and down,
ranges, conditional requests, HEAD, and a response in chunks. Argument: its port."""

import hashlib
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(index % 251 for index in range(100_000))
PAGE = b"<!doctype html><html lang=en><title>conformance</title>%s</html>\n" % (b"<p>A page of some length.</p>\n" * 100)
BROWSER = open(os.path.join(os.path.dirname(__file__), "browser.html"), "rb").read()
MODIFIED = "Wed, 01 Jul 2026 00:00:00 GMT"


def tag(content):
    return '"%s"' % hashlib.sha256(content).hexdigest()[:16]


class Origin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def head(self, status, fields, length=None):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        if self.path == "/streamed":
            return self.streamed()
        if self.path == "/large":
            return self.large()
        if self.path == "/browser":
            self.head(200, [("Content-Type", "text/html; charset=utf-8")], len(BROWSER))
            return self.wfile.write(BROWSER if self.command == "GET" else b"")
        content = PAGE if self.path == "/cached" else CONTENT
        kind = "text/html; charset=utf-8" if self.path == "/cached" else "application/octet-stream"
        fields = [
            ("ETag", tag(content)),
            ("Last-Modified", MODIFIED),
            ("Cache-Control", "max-age=600"),
            ("Accept-Ranges", "bytes"),
        ]
        if self.headers.get("If-None-Match") == tag(content):
            return self.head(304, fields)
        if not self.headers.get("If-None-Match") and self.headers.get("If-Modified-Since") == MODIFIED:
            return self.head(304, fields)
        fields.append(("Content-Type", kind))
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes=") and "," not in wanted and self.command == "GET":
            first, _, last = wanted[len("bytes="):].partition("-")
            first, last = (int(first), int(last or len(content) - 1)) if first else (
                len(content) - int(last), len(content) - 1)
            last = min(last, len(content) - 1)
            if first > last:
                return self.head(416, fields + [("Content-Range", "bytes */%d" % len(content))], 0)
            fields.append(("Content-Range", "bytes %d-%d/%d" % (first, last, len(content))))
            content = content[first:last + 1]
            self.head(206, fields, len(content))
        else:
            self.head(200, fields, len(content))
        if self.command == "GET":
            self.wfile.write(content)

    def streamed(self):
        self.head(200, [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("Transfer-Encoding", "chunked"),
        ])
        if self.command == "GET":
            for number in range(20):
                line = b"line %d of a response in chunks\n" % number
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.write(b"0\r\n\r\n")

    def large(self):
        size = 64 << 20
        self.head(200, [("Content-Type", "application/octet-stream")], size)
        for _ in range(size >> 16):
            self.wfile.write(bytes(1 << 16))

    def do_POST(self):
        self.do_PUT()

    def do_PUT(self):
        if self.path == "/refuses":
            # A last word before the body: `Expect: 100-continue` gets it instead.
            self.close_connection = True
            return self.head(413, [("Content-Type", "text/plain")], 0)
        digest = hashlib.sha256()
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                digest.update(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        else:
            digest.update(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        answer = digest.hexdigest().encode()
        self.head(200, [("Content-Type", "text/plain")], len(answer))
        self.wfile.write(answer)

    def handle_expect_100(self):
        return True if self.path == "/refuses" else super().handle_expect_100()


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, request, address):
        pass


Server(("127.0.0.1", int(sys.argv[1])), Origin).serve_forever()
