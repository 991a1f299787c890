#!/usr/bin/env python3
"""gRPC's interop cases of compression, which no client that can be had speaks: message by message.

    proxy_grpc_compressed_test.py PROXY_ROLE CLIENTS_DIR [unittest arguments]

client_compressed_unary, client_compressed_streaming, server_compressed_unary and
server_compressed_streaming, of grpc/doc/interop-test-descriptions.md.  A message's flag says whether
it is compressed; both ends look at it here, where a library would hide it.
"""
import gzip
import json
import os
import struct
import sys

from proxy_clients import clients

if __name__ == "__main__":
    clients(sys.argv[2])

import h2.events

import proxy_test
from proxy_guest_h2_rig import Client, talk_h2
from proxy_rig import Rig

INVALID_ARGUMENT = "3"
HEAD = (("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "gzip"), ("grpc-accept-encoding", "identity,gzip"))


def message(data, packed):
    data = gzip.compress(data) if packed else data
    return struct.pack(">BI", packed, len(data)) + data


def messages(data):
    while data:
        packed, size = struct.unpack(">BI", data[:5])
        text, data = data[5:5 + size], data[5 + size:]
        assert len(text) == size
        yield bool(packed), gzip.decompress(text) if packed else text


def serve(stream):
    """Refuses a message that is not as packed as it says, and answers with what it is asked for."""
    stream.ended.wait(10)
    answers, sums = [], 0
    for packed, data in messages(stream.body):
        asked = json.loads(data[:data.index(b"}") + 1])
        sums += len(data)
        if asked["packed"] != packed:
            stream.respond(200, *HEAD[:1], ("grpc-status", INVALID_ARGUMENT), end=True)
            return
        answers += [message(b"\0" * size, want) for size, want in asked["answers"]]
    stream.respond(200, *HEAD[:1], ("grpc-encoding", "gzip"))
    for each in answers or [message(str(sums).encode(), False)]:
        stream.send(each)
    stream.finish(("grpc-status", "0"))


class Compressed(proxy_test.ProxyTest):
    def setUp(self):
        super().setUp()
        self.app(8080, talk_h2(serve))
        self.client = Client(self.rig, self.host, self.token, 8080)
        self.addCleanup(self.client.sock.close)

    def call(self, *sent):
        """(status, [(was it packed, message)])"""
        stream = self.client.ask("/grpc.testing.TestService/Call", "POST", False, *HEAD)
        data = b"".join(sent)
        for at in range(0, len(data), 9999):  # frames are cut where messages are not
            self.client.c.send_data(stream, data[at:at + 9999], end_stream=at + 9999 >= len(data))
            self.client.flush()
        events = self.client.hear(stream)
        fields = [dict(e.headers) for e in events if isinstance(e, (h2.events.ResponseReceived, h2.events.TrailersReceived))]
        body = b"".join(e.data for e in events if isinstance(e, h2.events.DataReceived))
        return fields[-1]["grpc-status"], list(messages(body))

    def ask(self, packed, says, size=20000, answers=()):
        asked = json.dumps({"packed": says, "answers": answers}).encode()
        return message(asked + os.urandom(size // 2) + b"\0" * (size - size // 2 - len(asked)), packed)

    def test_client_compressed_unary(self):
        self.assertEqual(self.call(self.ask(False, True)), (INVALID_ARGUMENT, []))  # the probe
        for packed in (True, False):
            self.assertEqual(self.call(self.ask(packed, packed, answers=[(31415, False)])), ("0", [(False, b"\0" * 31415)]))

    def test_client_compressed_streaming(self):
        self.assertEqual(self.call(self.ask(False, True)), (INVALID_ARGUMENT, []))
        self.assertEqual(self.call(self.ask(True, True, 27182), self.ask(False, False, 4590)), ("0", [(False, b"31772")]))

    def test_server_compressed_unary(self):
        for packed in (True, False):
            self.assertEqual(self.call(self.ask(False, False, answers=[(314159, packed)])), ("0", [(packed, b"\0" * 314159)]))

    def test_server_compressed_streaming(self):
        self.assertEqual(self.call(self.ask(False, False, answers=[(31415, True), (92653, False)])),
                         ("0", [(True, b"\0" * 31415), (False, b"\0" * 92653)]))


if __name__ == "__main__":
    role = sys.argv[1]
    del sys.argv[1:3]
    proxy_test.run(Rig(role))
