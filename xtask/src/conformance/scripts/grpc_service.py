"""A gRPC service whose messages are bytes. Argument: its port."""

import sys
import time
from concurrent import futures

import grpc


def unary(request, context):
    context.set_trailing_metadata((("x-trailer", "kept"),))
    return request.upper()


def down(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def up(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def both(requests, context):
    for request in requests:
        yield request[::-1]


def slow(request, context):
    # Says whether the client's end came here, by what the next call finds.
    context.add_callback(lambda: ended.append(request))
    while context.is_active():
        time.sleep(0.01)
    return b""


def seen(request, context):
    return b"yes" if request in ended else b"no"


def refused(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 100 %")


ended = []
handlers = grpc.method_handlers_generic_handler("conformance.Echo", {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Down": grpc.unary_stream_rpc_method_handler(down),
    "Up": grpc.stream_unary_rpc_method_handler(up),
    "Both": grpc.stream_stream_rpc_method_handler(both),
    "Slow": grpc.unary_unary_rpc_method_handler(slow),
    "Seen": grpc.unary_unary_rpc_method_handler(seen),
    "Refused": grpc.unary_unary_rpc_method_handler(refused),
})
server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
server.add_generic_rpc_handlers((handlers,))
server.add_insecure_port("127.0.0.1:" + sys.argv[1])
server.start()
server.wait_for_termination()
