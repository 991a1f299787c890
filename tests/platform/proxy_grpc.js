// gRPC's client and server of JavaScript, for proxy_grpc_test.py; messages are bytes.
//
//	node proxy_grpc.js server			serves /echo/* and prints its port
//	node proxy_grpc.js client PORT HOST CA TOKEN	calls them and prints what came of it, as JSON
'use strict';

const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const same = (data) => data;
const kinds = { unary: [0, 0], fail: [0, 0], sleep: [0, 0], client: [1, 0], server: [0, 1], bidi: [1, 1] };
const most = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const service = {};
for (const [name, [up, down]] of Object.entries(kinds))
	service[name] = {
		path: `/echo/${name}`, requestStream: !!up, responseStream: !!down,
		requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
	};

function trailers() {
	const m = new grpc.Metadata();
	m.set('x-last', '2');
	m.set('x-last-bin', Buffer.from([255, 0]));
	return m;
}

function serve() {
	const server = new grpc.Server(most);
	server.addService(service, {
		unary: (call, done) => done(null, call.request, trailers()),
		fail: (call, done) => done({ code: grpc.status.NOT_FOUND, details: 'nothing' }),
		sleep: () => {},
		client: (call, done) => {
			const got = [];
			call.on('data', (data) => got.push(data));
			call.on('end', () => done(null, Buffer.concat(got)));
		},
		server: (call) => {
			for (let i = 0; i < Number(call.request.toString()); i++)
				call.write(Buffer.from(String(i)));
			call.end();
		},
		bidi: (call) => {
			call.on('data', (data) => call.write(data));
			call.on('end', () => call.end());
		},
	});
	server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (why, port) => console.log(port));
}

function unary(stub, name, data, options = {}) {
	return new Promise((resolve) => {
		let last;
		const call = stub[name](data, new grpc.Metadata(), { deadline: Date.now() + 20000, ...options },
			(why, answer) => setImmediate(() => resolve(why ? why.code : [answer, last])));
		call.on('status', (status) => { last = status.metadata; });
	});
}

function collected(call) {
	return new Promise((resolve) => {
		const got = [];
		call.on('data', (data) => got.push(data.toString()));
		call.on('error', (why) => resolve(why.code));
		call.on('end', () => resolve(got));
	});
}

async function client(port, host, ca, token) {
	const call = grpc.credentials.createFromMetadataGenerator((params, done) => {
		const m = new grpc.Metadata();
		m.set('x-aws-proxy-auth', token);
		m.set('x-aws-proxy-force-h2', 'true');
		done(null, m);
	});
	const secure = grpc.credentials.combineChannelCredentials(grpc.credentials.createSsl(fs.readFileSync(ca)), call);
	const stub = new (grpc.makeGenericClientConstructor(service, 'echo'))(`127.0.0.1:${port}`, secure,
		{ 'grpc.ssl_target_name_override': host, 'grpc.default_authority': host, ...most });
	const out = {};
	const [answer, last] = await unary(stub, 'unary', Buffer.from('hi'));
	out.unary = [answer.toString(), last.get('x-last')[0], [...last.get('x-last-bin')[0]]];
	const big = Buffer.alloc(8 << 20, 'z');
	out.big = (await unary(stub, 'unary', big))[0].equals(big);
	out.fail = await unary(stub, 'fail', Buffer.alloc(0));
	out.deadline = await unary(stub, 'sleep', Buffer.alloc(0), { deadline: Date.now() + 500 });
	out.server = await collected(stub.server(Buffer.from('50'), new grpc.Metadata()));
	const up = await new Promise((resolve) => {
		const stream = stub.client(new grpc.Metadata(), (why, data) => resolve(why ? why.code : data.toString()));
		for (const piece of ['a', 'b', 'c'])
			stream.write(Buffer.from(piece));
		stream.end();
	});
	out.client = up;
	const both = stub.bidi(new grpc.Metadata());
	const got = collected(both);
	for (const piece of ['x', 'y'])
		both.write(Buffer.from(piece));
	both.end();
	out.bidi = await got;
	stub.close();
	console.log(JSON.stringify(out));
}

if (process.argv[2] === 'server')
	serve();
else
	client(...process.argv.slice(3));
