// ioredis, for proxy_native_test.py: redis.js HOST PORT
const { Redis } = require('ioredis');

async function talk(host, port) {
	const c = new Redis({ host, port: Number(port), maxRetriesPerRequest: 0 });
	const value = 'js'.repeat(50000), pipe = c.pipeline();
	await c.mset('js', value, 'js-count', 0);
	for (let i = 0; i < 100; i++)
		pipe.incr('js-count');
	await pipe.exec();
	console.log(await c.get('js') === value, Number(await c.get('js-count')));
	c.disconnect();
}

talk(process.argv[2], process.argv[3]);
