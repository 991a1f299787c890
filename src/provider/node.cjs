'use strict';
// Node draws the random bytes of 128 UUIDs and of 1,024 integers in advance. A snapshot would hand the same ones to every clone, so
// these functions draw when they are called. node.h says how Node comes to load this.
const crypto = require('crypto');

const FRESH = { disableEntropyCache: true };
const RANDOM_MAX = 2 ** 48 - 1;
const bytes = Buffer.allocUnsafeSlow(6);

const named = (name, length, replacement) => {
  Object.defineProperty(replacement, 'name', { value: name, configurable: true });
  return Object.defineProperty(replacement, 'length', { value: length, configurable: true });
};

// A value below `range`, each as likely as any other.
const below = (range) => {
  const limit = RANDOM_MAX - (RANDOM_MAX % range);
  for (;;) {
    const value = crypto.randomFillSync(bytes).readUIntBE(0, 6);
    if (value < limit) return value % range;
  }
};

// Node's own function judges the arguments, and its value is dropped.
const integers = (original) => named('randomInt', original.length, function randomInt(min, max, callback) {
  const short = max === undefined || typeof max === 'function';
  const [from, to, done] = short ? [0, min, max] : [min, max, callback];
  if (done !== undefined && typeof done !== 'function') return original.call(this, min, max, callback);
  if (short) original(min);
  else original(min, max);
  const value = from + below(to - from);
  if (done === undefined) return value;
  process.nextTick(done, undefined, value);
});

// Node's own function judges here too: only a setting that it would accept is replaced.
const fresh = (options) => {
  if (options === undefined) return FRESH;
  if (options === null || typeof options !== 'object') return options;
  const { disableEntropyCache: asked = false } = options;
  return typeof asked === 'boolean' ? { ...options, ...FRESH } : options;
};

const uuids = (original) => named(original.name, original.length, function (options) {
  return original.call(this, fresh(options));
});

crypto.randomInt = integers(crypto.randomInt);
const { randomUUID } = crypto;
for (const name of ['randomUUID', 'randomUUIDv7'])
  if (typeof crypto[name] === 'function') crypto[name] = uuids(crypto[name]);

// The one of the web's interface takes no options, and its object is made when it is first asked for.
const prototype = crypto.webcrypto && Object.getPrototypeOf(crypto.webcrypto);
if (prototype && typeof prototype.randomUUID === 'function') {
  const original = prototype.randomUUID;
  Object.defineProperty(prototype, 'randomUUID', {
    ...Object.getOwnPropertyDescriptor(prototype, 'randomUUID'),
    value: named('randomUUID', original.length, function webUUID() {
      if (this !== crypto.webcrypto) return original.call(this);
      return randomUUID(FRESH);
    }),
  });
}
require('module').syncBuiltinESMExports();
