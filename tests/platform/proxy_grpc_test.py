#!/usr/bin/env python3
"""gRPC through the proxy, HTTP/2 on both sides: clients and servers of Python,
JavaScript and Go.

    proxy_grpc_test.py PROXY_ROLE CLIENTS_DIR [unittest arguments]
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import threading
import time

from proxy_clients import HERE, clients

if __name__ == "__main__":
    clients(sys.argv[2])

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import proxy_test
from proxy_rig import MIB, OPEN, SLEEPING, WAKE, Rig, wait_for

MOST = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Echo(grpc.GenericRpcHandler):
    """/echo/* over bytes."""

    def __init__(self):
        self.gone, self.seen = threading.Event(), []
        self.calls = {
            "unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "client": grpc.stream_unary_rpc_method_handler(lambda it, c: b"".join(it)),
            "server": grpc.unary_stream_rpc_method_handler(self.server),
            "bidi": grpc.stream_stream_rpc_method_handler(self.bidi),
            "fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "fail_late": grpc.unary_stream_rpc_method_handler(self.fail_late),
            "sleep": grpc.unary_unary_rpc_method_handler(self.sleep),
            "early": grpc.stream_unary_rpc_method_handler(lambda it, c: b"early"),
        }

    def service(self, call):
        return self.calls.get(call.method.split("/")[-1])

    def unary(self, request, context):
        self.seen.append(dict(context.invocation_metadata()))
        if len(request) == MIB:
            context.set_compression(grpc.Compression.Gzip)
        context.send_initial_metadata((("x-first", "1"), ("x-first-bin", b"\0\xff")))
        context.set_trailing_metadata((("x-last", "2"), ("x-last-bin", b"\xff\0")))
        return request

    def server(self, request, context):
        for i in range(int(request)):
            yield b"%d" % i

    def bidi(self, requests, context):
        for request in requests:
            yield request

    def fail(self, request, context):
        context.set_trailing_metadata((("x-why", "because"),))
        context.abort(grpc.StatusCode.NOT_FOUND, "no sch\u00f6ne thing")

    def fail_late(self, request, context):
        yield b"one"
        context.abort(grpc.StatusCode.DATA_LOSS, "broke")

    def sleep(self, request, context):
        context.add_callback(self.gone.set)
        while context.is_active():
            time.sleep(0.02)
        return b""


class At:
    """What the rig's machine dials."""

    def __init__(self, port):
        self.sock = type("Sock", (), {"getsockname": staticmethod(lambda: ("127.0.0.1", port))})


class GrpcTest(proxy_test.ProxyTest):
    def setUp(self):
        super().setUp()
        self.echo = Echo()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(32), options=MOST)
        self.server.add_generic_rpc_handlers((self.echo,))
        health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), self.server)
        reflection.enable_server_reflection(("grpc.health.v1.Health", reflection.SERVICE_NAME), self.server)
        self.apps[8080] = At(self.listen())
        self.server.start()
        self.addCleanup(lambda: self.server.stop(0).wait(5))
        self.channel = self.dial()
        self.addCleanup(self.channel.close)

    def listen(self):
        return self.server.add_insecure_port("127.0.0.1:0")

    def dial(self, **more):
        with open(self.rig.cert, "rb") as f:
            secure = grpc.ssl_channel_credentials(f.read())
        call = grpc.metadata_call_credentials(lambda context, done: done(
            (("x-aws-proxy-auth", more.get("token", self.token)), ("x-aws-proxy-force-h2", "true")), None))
        return grpc.secure_channel(f"127.0.0.1:{self.rig.port}", grpc.composite_channel_credentials(secure, call),
                                   options=[("grpc.ssl_target_name_override", self.host), *MOST])

    def call(self, name, kind="unary_unary"):
        return getattr(self.channel, kind)(f"/echo/{name}")

    def code_of(self, what):
        with self.assertRaises(grpc.RpcError) as caught:
            what()
        return caught.exception.code()


class Calls(GrpcTest):
    def test_unary_calls_carry_messages_and_metadata_both_ways(self):
        answer, call = self.call("unary").with_call(b"hi", metadata=(("x-mine", "a"), ("x-mine-bin", b"\x00\xff\n")))
        self.assertEqual(answer, b"hi")
        seen = self.echo.seen[0]
        self.assertEqual((seen["x-mine"], seen["x-mine-bin"]), ("a", b"\x00\xff\n"))
        self.assertFalse([n for n in seen if n.startswith("x-aws-proxy")])
        self.assertEqual(dict(call.initial_metadata())["x-first-bin"], b"\0\xff")
        trailing = dict(call.trailing_metadata())
        self.assertEqual((trailing["x-last"], trailing["x-last-bin"]), ("2", b"\xff\0"))

    def test_streams_of_all_kinds_work(self):
        self.assertEqual(self.call("client", "stream_unary")(iter([b"a", b"b", b"c"]), timeout=20), b"abc")
        self.assertEqual(list(self.call("server", "unary_stream")(b"100", timeout=20)), [b"%d" % i for i in range(100)])
        pings = threading.Semaphore(1)

        def requests():
            for i in range(20):
                pings.acquire(timeout=10)
                yield b"%d" % i
        got = []
        for answer in self.call("bidi", "stream_stream")(requests(), timeout=20):
            got.append(answer)
            pings.release()
        self.assertEqual(got, [b"%d" % i for i in range(20)])

    def test_an_error_is_an_error_with_its_words(self):
        """Trailers only: one HEADERS that ends the stream."""
        with self.assertRaises(grpc.RpcError) as caught:
            self.call("fail")(b"", timeout=20)
        self.assertEqual((caught.exception.code(), caught.exception.details()),
                         (grpc.StatusCode.NOT_FOUND, "no sch\u00f6ne thing"))
        self.assertEqual(dict(caught.exception.trailing_metadata())["x-why"], "because")
        got = []
        with self.assertRaises(grpc.RpcError) as caught:
            for answer in self.call("fail_late", "unary_stream")(b"", timeout=20):
                got.append(answer)
        self.assertEqual((got, caught.exception.code()), ([b"one"], grpc.StatusCode.DATA_LOSS))
        self.assertEqual(self.code_of(lambda: self.call("nothing")(b"", timeout=20)), grpc.StatusCode.UNIMPLEMENTED)

    def test_a_deadline_and_a_cancellation_reach_the_server(self):
        self.assertEqual(self.code_of(lambda: self.call("sleep")(b"", timeout=0.5)), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertTrue(self.echo.gone.wait(5))
        self.echo.gone.clear()
        future = self.call("sleep").future(b"", timeout=30)
        time.sleep(0.3)
        self.assertFalse(self.echo.gone.is_set())
        future.cancel()
        self.assertTrue(self.echo.gone.wait(5))

    def test_compressed_messages_pass(self):
        data = b"x" * MIB
        self.assertEqual(self.call("unary")(data, compression=grpc.Compression.Gzip, timeout=20), data)

    def test_a_message_of_64_mib_passes_in_bounded_memory(self):
        data = os.urandom(MIB) * 64
        self.assertEqual(self.call("unary")(data, timeout=100), data)
        self.check_memory()

    def test_an_answer_before_the_request_is_whole_is_the_answer(self):
        stop = threading.Event()

        def endless():
            while not stop.is_set():
                yield b"x" * 10000
        self.assertEqual(self.call("early", "stream_unary")(endless(), timeout=20), b"early")
        stop.set()

    def test_reflection_and_health_answer(self):
        services = ProtoReflectionDescriptorDatabase(self.channel).get_services()
        self.assertIn("grpc.health.v1.Health", services)
        stub = health_pb2_grpc.HealthStub(self.channel)
        self.assertEqual(stub.Check(health_pb2.HealthCheckRequest(), timeout=20).status,
                         health_pb2.HealthCheckResponse.SERVING)

    def test_a_hundred_calls_at_a_time_are_all_answered(self):
        calls = [self.call("unary").future(b"%d" % i, timeout=60) for i in range(100)]
        self.assertEqual([c.result() for c in calls], [b"%d" % i for i in range(100)])

    def test_a_server_that_dies_is_an_error_that_says_so(self):
        answers = self.call("bidi", "stream_stream")(iter(lambda: time.sleep(10) or b"", None), timeout=20)
        future = self.call("sleep").future(b"", timeout=20)
        time.sleep(0.3)
        self.server.stop(0).wait(5)
        self.assertIn(self.code_of(future.result), (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED))
        self.assertIn(self.code_of(lambda: list(answers)), (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED))
        self.assertEqual(self.code_of(lambda: self.call("unary")(b"", timeout=20)), grpc.StatusCode.UNAVAILABLE)

    def test_calls_wait_for_a_microvm_that_wakes(self):
        self.set(SLEEPING)
        future = self.call("unary").future(b"hi", timeout=20)
        wait_for("the wake", lambda: self.rig.control.of(WAKE, self.endpoint))
        self.set(OPEN)
        self.assertEqual(future.result(), b"hi")

    def test_a_token_that_is_none_is_refused(self):
        channel = self.dial(token="none")
        with self.assertRaises(grpc.RpcError) as caught:
            channel.unary_unary("/echo/unary")(b"", timeout=20)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.PERMISSION_DENIED)
        channel.close()


class OtherLanguages:
    """Their program is a server, or a client that tells what came of its calls."""

    early = {}

    def start(self, *arguments):
        process = subprocess.Popen([*self.program(), *arguments], text=True, stdout=subprocess.PIPE,
                                   env={**os.environ, "NODE_PATH": f"{sys.prefix}/js/node_modules"})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        return process

    def check_client(self, **more):
        client = self.start("client", str(self.rig.port), self.host, self.rig.cert, self.token)
        out = json.loads(client.communicate(timeout=60)[0])
        self.assertEqual(out, {"unary": ["hi", "2", [255, 0]], "big": True, "fail": 5, "deadline": 4, "client": "abc",
                               "server": [str(i) for i in range(50)], "bidi": ["x", "y"], **more})

    def test_its_client_calls_a_python_server(self):
        self.check_client(**self.early)

    def test_its_client_calls_its_server(self):
        self.apps[8080] = At(int(self.start("server").stdout.readline()))
        self.check_client(**self.early)

    def test_a_python_client_calls_its_server(self):
        self.apps[8080] = At(int(self.start("server").stdout.readline()))
        answer, call = self.call("unary").with_call(b"x" * MIB, timeout=20)
        self.assertEqual((len(answer), dict(call.trailing_metadata())["x-last-bin"]), (MIB, b"\xff\0"))
        self.assertEqual(self.code_of(lambda: self.call("fail")(b"", timeout=20)), grpc.StatusCode.NOT_FOUND)
        self.assertEqual(list(self.call("bidi", "stream_stream")(iter([b"a", b"b"]), timeout=20)), [b"a", b"b"])
        self.assertEqual(self.code_of(lambda: self.call("sleep")(b"", timeout=0.5)), grpc.StatusCode.DEADLINE_EXCEEDED)


class JavaScript(OtherLanguages, GrpcTest):
    def program(self):
        return f"{sys.prefix}/bin/node", f"{HERE}/proxy_grpc.js"


class Go(OtherLanguages, GrpcTest):
    """Its server resets a stream without an error when it answered before the request was whole."""

    early = {"early": True}

    def setUp(self):
        super().setUp()
        self.echo.calls["early"] = grpc.stream_unary_rpc_method_handler(lambda it, c: next(it))

    def program(self):
        if not os.path.exists(f"{sys.prefix}/grpc_go"):
            self.skipTest("there is no Go here")
        return f"{sys.prefix}/grpc_go",


if __name__ == "__main__":
    role = sys.argv[1]
    del sys.argv[1:3]
    proxy_test.run(Rig(role))
