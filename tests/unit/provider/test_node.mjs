// The functions of node.cjs answer and judge as Node's own do.
import assert from 'node:assert';
import crypto, { randomInt, randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const theirs = { randomInt, randomUUID };
const web = Object.getPrototypeOf(crypto.webcrypto).randomUUID;

createRequire(import.meta.url)(process.argv[2]);

// The names that a module has imported follow.
assert.notStrictEqual(randomInt, theirs.randomInt);
assert.notStrictEqual(randomUUID, theirs.randomUUID);
assert.strictEqual(randomUUID, crypto.randomUUID);
for (const name of ['randomInt', 'randomUUID']) {
  assert.strictEqual(crypto[name].name, theirs[name].name);
  assert.strictEqual(crypto[name].length, theirs[name].length);
}

for (const options of [undefined, {}, { disableEntropyCache: false }, { disableEntropyCache: true }]) assert.match(randomUUID(options), UUID);
for (const options of [null, 1, 'x', { disableEntropyCache: 1 }]) assert.throws(() => randomUUID(options), { code: 'ERR_INVALID_ARG_TYPE' });
assert.match(globalThis.crypto.randomUUID(), UUID);
assert.throws(() => globalThis.crypto.randomUUID.call({}), (error) => {
  try {
    web.call({});
  } catch (original) {
    return error.code === original.code;
  }
  return false;
});

const message = (draw, words) => {
  try {
    draw(...words);
  } catch (error) {
    return `${error.code} ${error.message}`;
  }
  return 'none';
};
for (const words of [[], ['1'], [0], [5, 5], [5, 4], [0, 2 ** 48 + 1], [0.5], [1, 2, 3], [1, 'x', () => {}], [NaN]])
  assert.strictEqual(message(randomInt, words), message(theirs.randomInt, words), `randomInt(${words})`);
assert.strictEqual(message(randomInt, [1, 2, 3]), message(theirs.randomInt, [1, 2, 3]));

const seen = new Set();
for (let i = 0; i < 2000; i++) seen.add(randomInt(-3, 4));
assert.deepStrictEqual([...seen].sort((a, b) => a - b), [-3, -2, -1, 0, 1, 2, 3]);
assert.strictEqual(randomInt(1), 0);
assert(randomInt(2 ** 48 - 1) < 2 ** 48);
for (const words of [[7], [1, 7]]) {
  let returned = false;
  const value = await new Promise((resolve, reject) => {
    randomInt(...words, (error, drawn) => (error || !returned ? reject(error ?? new Error('too early')) : resolve(drawn)));
    returned = true;
  });
  assert(Number.isInteger(value) && value >= 0 && value < 7);
}
