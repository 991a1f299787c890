// Prints what the JavaScript SDK's schemas say of each operation, as JSON.  usage: node schemas.mjs DIR-WITH-NODE_MODULES
import { createRequire } from 'node:module';

const require = createRequire(`${process.argv[2]}/package.json`);
const sdk = require('@aws-sdk/client-lambda-microvms');
const STRUCTURE = 3, OPERATION = 9, LABEL = 1;
const all = {};

// A member is a schema, or a pair of a schema and its traits: bits, or an object.
const traits = (member) => (Array.isArray(member) && member.length === 2 ? member[1] : 0);
const query = (trait) => (typeof trait === 'object' ? trait.httpQuery : undefined);
const place = (trait) => ((trait & LABEL) === LABEL || trait.httpLabel ? 'path' : query(trait) ? 'query' : 'body');

for (const operation of Object.values(sdk)) {
	if (!Array.isArray(operation) || operation[0] !== OPERATION)
		continue;
	const [, , name, { http }, lazy] = operation;
	const input = typeof lazy === 'function' ? lazy() : lazy;
	const members = {};

	if (input[0] === STRUCTURE)
		input[4].forEach((member, i) => {
			const trait = traits(input[5][i]);

			members[query(trait) ?? member] = { required: i < (input[6] ?? 0), place: place(trait) };
		});
	all[name] = { method: http[0], path: http[1].split('?')[0], status: http[2], members };
}
process.stdout.write(JSON.stringify(all));
