// Node's share of draws.py: by import and by require, in the main thread and in a worker.
import crypto, { randomBytes, randomInt, randomUUID } from 'node:crypto';
import assert from 'node:assert';
import readline from 'node:readline';
import v8 from 'node:v8';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';

// The image sets NODE_OPTIONS; that has to hold, whatever else Node is given.
assert(v8.getHeapStatistics().heap_size_limit < 400 * 2 ** 20);

const make = () => ({
  randomBytes: randomBytes(16).toString('hex'),
  randomUUID: randomUUID(),
  randomInt: randomInt(2 ** 47),
  'web uuid': globalThis.crypto.randomUUID(),
  'web getRandomValues': Buffer.from(globalThis.crypto.getRandomValues(new Uint8Array(16))).toString('hex'),
  'ec key': crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'der' }).toString('hex'),
  'Math.random': Math.random(),
});

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const answered = new Promise((resolve) => worker.once('message', resolve));
    worker.postMessage('draw');
    const theirs = Object.entries(await answered).map(([name, value]) => [`worker ${name}`, value]);
    console.log(JSON.stringify({ ...make(), ...Object.fromEntries(theirs) }));
  }
} else {
  parentPort.on('message', () => parentPort.postMessage(make()));
}
