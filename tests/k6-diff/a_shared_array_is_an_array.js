import { SharedArray } from 'k6/data';

const shared = new SharedArray('some', () => [{ a: 1, b: [1, 2] }, 2, 'x', null]);

const looks = {
  isArray: () => Array.isArray(shared),
  isOfArray: () => shared instanceof Array,
  isOfShared: () => shared instanceof SharedArray,
  constructor: () => shared.constructor === Array,
  prototype: () => Object.getPrototypeOf(shared) === Array.prototype,
  class: () => Object.prototype.toString.call(shared),
  keys: () => Object.keys(shared),
  names: () => Object.getOwnPropertyNames(shared),
  ownKeys: () => Reflect.ownKeys(shared),
  forIn: () => { const all = []; for (const key in shared) all.push(key); return all; },
  forOf: () => { const all = []; for (const item of shared) all.push(item); return all; },
  spread: () => [...shared],
  spreadInObject: () => ({ ...shared }),
  destructured: () => { const [first, ...rest] = shared; return [rest, first]; },
  json: () => shared,
  jsonInObject: () => JSON.stringify({ shared }, null, 1),
  concat: () => [0].concat(shared),
  concatOfIt: () => shared.concat([9], 8),
  slice: () => shared.slice(1, 3),
  map: () => shared.map((item) => typeof item),
  filter: () => shared.filter((item) => item === 2),
  flat: () => [shared, [1]].flat(),
  flatOfIt: () => shared.flat(),
  flatMap: () => [1].flatMap(() => shared),
  find: () => shared.find((item) => item === 'x'),
  indexOf: () => shared.indexOf(2),
  includes: () => shared.includes('x'),
  join: () => shared.join('-'),
  reduce: () => shared.reduce((all, item) => all + typeof item, ''),
  at: () => shared.at(-2),
  toReversed: () => shared.toReversed(),
  with: () => shared.with(0, 1),
  entries: () => [...shared.entries()],
  ownEntries: () => Object.entries(shared),
  from: () => Array.from(shared, (item) => typeof item),
  in: () => [0 in shared, 4 in shared, 'length' in shared, 'map' in shared, 'toJSON' in shared],
  hasOwn: () => [shared.hasOwnProperty(0), shared.hasOwnProperty('length'), shared.hasOwnProperty('map')],
  item: () => Object.getOwnPropertyDescriptor(shared, 0),
  length: () => Object.getOwnPropertyDescriptor(shared, 'length'),
  outside: () => [shared[10], shared[-1], shared[1.5], shared['00'], shared['01'], shared.foo, shared['1e0']],
  isFresh: () => shared[0] !== shared[0],
  frozen: () => [Object.isFrozen(shared), Object.isSealed(shared), Object.isExtensible(shared), Object.isFrozen(shared[0].b)],
  assign: () => Object.assign([], shared),
  size: () => new Set(shared).size,
  text: () => shared.slice(1).concat(shared.slice(1)) + '',
};

const writes = {
  item: () => { shared[0] = 1; },
  beyond: () => { shared[10] = 1; },
  name: () => { shared.foo = 1; },
  length: () => { shared.length = 0; },
  symbol: () => { shared[Symbol.iterator] = 1; },
  delete: () => delete shared[0],
  deleteBeyond: () => delete shared[10],
  deleteName: () => delete shared.foo,
  deleteLength: () => delete shared.length,
  define: () => Object.defineProperty(shared, 0, { value: 1 }),
  defineName: () => Object.defineProperty(shared, 'foo', { value: 1 }),
  push: () => shared.push(1),
  pop: () => shared.pop(),
  shift: () => shared.shift(),
  unshift: () => shared.unshift(1),
  splice: () => shared.splice(0, 1),
  sort: () => shared.sort(),
  reverse: () => shared.reverse(),
  fill: () => shared.fill(0),
  copyWithin: () => shared.copyWithin(0, 1),
  freeze: () => Object.freeze(shared),
  preventExtensions: () => Object.preventExtensions(shared),
  assign: () => Object.assign(shared, [1]),
};

export default function () {
  for (const [name, look] of Object.entries(looks)) {
    const value = look();
    console.log(name, typeof value, typeof value === 'object' ? JSON.stringify(value) : value);
  }
  for (const [name, write] of Object.entries(writes)) {
    try {
      console.log(name, write());
    } catch (error) {
      console.log(name, String(error));
    }
  }
  console.log(shared);
  console.log([shared], { shared });
}
