// Native clients of Node, for proxy_native_test.py: each prints what it got.
//
//	proxy_native.js postgres NAME PORT CA CERT KEY PASSWORD
//	proxy_native.js redis NAME PORT CA CERT KEY
const fs = require("fs");
const [what, servername, port, ca, cert, key, password] = process.argv.slice(2);
const tls = {servername, ca: fs.readFileSync(ca), cert: fs.readFileSync(cert), key: fs.readFileSync(key)};
const at = {host: "127.0.0.1", port: Number(port)};

async function postgres() {
	const {Client} = require("pg");
	const client = new Client({...at, ssl: tls, user: "somebody", database: "things", password});
	await client.connect();
	console.log((await client.query("select current_user as it")).rows[0].it);
	await client.end();
}

async function redis() {
	const client = new (require("ioredis"))({...at, tls, enableReadyCheck: false, maxRetriesPerRequest: 0, retryStrategy: null});
	client.on("error", (e) => console.log(e.message));
	console.log(await client.ping());
	client.disconnect();
}

({postgres, redis})[what]().catch((e) => {
	console.log(e.message);
	process.exit(1);
});
