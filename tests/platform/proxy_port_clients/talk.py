"""Clients of PyPI, for proxy_native_test.py: talk.py redis|postgres|dns|quic|serve_quic HOST PORT [PASSWORD or CERTIFICATE [KEY]]"""
import asyncio
import sys


async def redis(host, port):
    import redis.asyncio
    c = redis.asyncio.Redis(host=host, port=port)
    await c.mset({"py": "py" * 50000, "py-count": 0})
    async with c.pipeline(transaction=False) as p:
        for _ in range(100):
            p.incr("py-count")
        await p.execute()
    print(await c.get("py") == b"py" * 50000, int(await c.get("py-count")))
    await c.aclose()


async def postgres(host, port, password):
    import asyncpg
    c = await asyncpg.connect(host=host, port=port, user="rig", password=password, database="postgres", ssl="require")
    print(await c.fetchval("select $1::int + 1", 41), sum(r[0] for r in await c.fetch("select generate_series(1, 1000)")))
    await c.close()


async def dns(host, port):
    import dns.asyncresolver
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = [host], port, 20
    print(*[str(r) for name in ("a.rig", "b.rig") for r in await resolver.resolve(name, "A")])


async def quic(host, port, certificate):
    from aioquic.asyncio.client import connect
    from aioquic.quic.configuration import QuicConfiguration
    configuration = QuicConfiguration(alpn_protocols=["echo"], server_name="x.lambda-microvm.us-east-1.localhost")
    configuration.load_verify_locations(certificate)
    async with connect(host, port, configuration=configuration) as c:
        reader, writer = await c.create_stream()
        writer.write(b"quic" * 50000)
        writer.write_eof()
        print((await reader.read()) == b"quic" * 50000)


async def serve_quic(host, port, certificate, key):
    from aioquic.asyncio.server import serve
    from aioquic.quic.configuration import QuicConfiguration
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["echo"])
    configuration.load_cert_chain(certificate, key)

    async def echo(reader, writer):
        writer.write(await reader.read())
        writer.write_eof()
    await serve(host, port, configuration=configuration, stream_handler=lambda *stream: asyncio.ensure_future(echo(*stream)))
    print("ready", flush=True)
    await asyncio.Future()


asyncio.run(globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
