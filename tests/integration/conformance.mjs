// Runs operations through the JavaScript SDK: a line of JSON in, a line out.  usage: node conformance.mjs DIR-WITH-NODE_MODULES
// in: {"operation", "members"}   out: {"answer"} or {"code", "status"}   (keys, endpoint and region: the environment's)
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.argv[2]}/package.json`);
const sdk = require('@aws-sdk/client-lambda-microvms');
const client = new sdk.LambdaMicrovmsClient({ maxAttempts: 1, endpoint: process.env.AWS_ENDPOINT_URL });

for await (const line of createInterface({ input: process.stdin })) {
	const { operation, members } = JSON.parse(line);
	let said;

	try {
		const { $metadata, ...answer } = await client.send(new sdk[`${operation}Command`](members));
		said = { answer, status: $metadata.httpStatusCode };
	} catch (error) {
		said = { code: error.name, status: error.$metadata?.httpStatusCode };
	}
	process.stdout.write(`${JSON.stringify(said)}\n`);
}
