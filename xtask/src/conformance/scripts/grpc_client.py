"""grpcio's own client. Arguments: an address, what to do, and a file with the roots
for a connection over TLS. Prints `ok`, or what came instead."""

import sys
import time

import grpc

address, deed = sys.argv[1:3]
if len(sys.argv) > 3:
    roots = grpc.ssl_channel_credentials(open(sys.argv[3], "rb").read())
    channel = grpc.secure_channel(address, roots)
else:
    channel = grpc.insecure_channel(address)


def method(kind, name):
    return getattr(channel, kind)("/conformance.Echo/" + name)


def unary():
    answer, call = method("unary_unary", "Unary").with_call(b"hello", timeout=5)
    trailers = dict(call.trailing_metadata())
    return answer == b"HELLO" and trailers.get("x-trailer") == "kept", (answer, trailers)


def down():
    answers = list(method("unary_stream", "Down")(b"1000", timeout=5))
    return answers == [b"%d" % number for number in range(1000)], len(answers)


def up():
    answer = method("stream_unary", "Up")((b"x" * 1000 for _ in range(1000)), timeout=5)
    return answer == b"1000000", answer


def both():
    # Each message is sent when the answer to the one before has come.
    def messages():
        for number in range(100):
            while len(answers) < number:
                time.sleep(0.001)
            yield b"a%d" % number

    answers = []
    for answer in method("stream_stream", "Both")(messages(), timeout=5):
        answers.append(answer)
    return answers == [(b"a%d" % number)[::-1] for number in range(100)], len(answers)


def status():
    try:
        method("unary_unary", "Refused")(b"", timeout=5)
    except grpc.RpcError as error:
        good = error.code() == grpc.StatusCode.FAILED_PRECONDITION
        return good and error.details() == "not now: 100 %", (error.code(), error.details())
    return False, "no error"


def ends(name, how):
    """The call ends at the client, and then at the service."""
    try:
        how(method("unary_unary", "Slow"))
    except (grpc.RpcError, grpc.FutureCancelledError) as error:
        came = getattr(error, "code", lambda: None)() or grpc.StatusCode.CANCELLED
    else:
        return False, "no error"
    for _ in range(300):
        if method("unary_unary", "Seen")(name, timeout=5) == b"yes":
            return came, came
        time.sleep(0.01)
    return False, "the service was not told"


def deadline():
    came, told = ends(b"deadline", lambda call: call(b"deadline", timeout=0.3))
    return came == grpc.StatusCode.DEADLINE_EXCEEDED, told


def cancel():
    def cancelled(call):
        future = call.future(b"cancel", timeout=5)
        time.sleep(0.2)
        future.cancel()
        future.result()

    came, told = ends(b"cancel", cancelled)
    return came == grpc.StatusCode.CANCELLED, told


good, came = globals()[deed]()
print("ok" if good else came)
