import * as http from 'k6/http';
import encoding from 'k6/encoding';
import { SharedArray } from 'k6/data';
import * as own from './modules/some_exports.js';
import { attempt } from './modules/attempts.js';

export const options = { iterations: 1 };

const shared = new SharedArray('some', () => [{ a: 1, b: [1] }]);
const symbol = Symbol('s');
const objects = {
  frozen: Object.freeze({ a: 1, o: {}, get g() { return 1; } }),
  sealed: Object.seal({ a: 1 }),
  fixed: Object.preventExtensions({ a: 1 }),
  list: Object.freeze([1, 2]),
  item: shared[0],
  inner: shared[0].b,
  text: new String('abc'),
  encoding,
  http,
  own,
};
const keys = { list: 0, inner: 0, text: 0, http: 'get', own: 'x', encoding: 'b64encode' };
const ofAll = {
  'Reflect.set': (o, k) => Reflect.set(o, k, 1),
  'Reflect.set of another': (o) => Reflect.set(o, 'other', 1),
  'Reflect.set of a symbol': (o) => Reflect.set(o, symbol, 1),
  'set of another': (o) => { o.other2 = 2; },
  'set in quotes': (o) => { o['in quotes'] = 2; },
  'define another': (o) => Object.defineProperty(o, 'other3', { value: 5 }) === o,
  'define a symbol': (o) => Object.defineProperty(o, symbol, { value: 5 }) === o,
  'define others': (o, k) => Object.defineProperties(o, { [k]: {}, other4: { value: 1 } }) === o,
  'Reflect.define another': (o) => Reflect.defineProperty(o, 'other5', { value: 6 }),
  'assign another': (o) => Object.assign(o, { other6: 3 }) === o,
  'assign nothing': (o) => Object.assign(o, null, undefined, {}) === o,
  'Reflect.delete': (o, k) => Reflect.deleteProperty(o, k),
  'delete nothing': (o) => delete o.nothing,
  'delete by a key': (o, k) => delete o[k],
  states: (o) => [Object.isFrozen(o), Object.isSealed(o), Object.isExtensible(o)],
};
const ofSome = {
  set: () => { objects.frozen.a = 2; },
  'set of text': () => { objects.frozen['a'] = 2; },
  'set of a getter': () => { objects.frozen.g = 2; },
  'add to a namespace': () => { own.z = 2; },
  'set in a namespace': () => { own.x = 2; },
  'count in a namespace': () => { own.y++; },
  'delete of a name': () => delete objects.frozen.a,
  'delete of a text': () => delete objects.frozen['a'],
  'delete in a list': () => delete objects.list[1],
  'delete in a text': () => delete 'abc'[0],
  'delete of nothing': () => { let u; delete u.x; },
  'delete in parentheses': () => delete (objects.frozen.o),
  define: () => Object.defineProperty(objects.frozen, 'a', { value: 5 }),
  'define a getter': () => Object.defineProperty(objects.sealed, 'a', { get() { return 1; } }),
  'define several': () => Object.defineProperties(objects.frozen, { a: { value: 3 } }),
  'define by nothing': () => Object.defineProperty({}, 'a'),
  'define by a number': () => Object.defineProperty({}, 'a', 1),
  'define in a number': () => Object.defineProperty(1, 'a', {}),
  'define several in a number': () => Object.defineProperties(1, {}),
  assign: () => Object.assign(objects.frozen, { a: 3 }),
  'assign to a getter': () => Object.assign(objects.frozen, { g: 3 }),
  'assign to an item': () => Object.assign(shared[0], { a: 3 }),
  'assign to a text': () => Object.assign(objects.text, { 0: 'x' }),
  'assign to a namespace': () => Object.assign(own, { x: 3 }),
  'assign to nothing': () => Object.assign(null, {}),
  'set a prototype': () => Object.setPrototypeOf(objects.frozen, {}),
  'set a prototype of a list': () => Object.setPrototypeOf(objects.list, {}),
  'set a number as a prototype': () => Object.setPrototypeOf({}, 1),
  'set a prototype of nothing': () => Object.setPrototypeOf(null, {}),
  'set __proto__': () => { objects.frozen.__proto__ = {}; },
  'create of a number': () => Object.create(1),
  'prototype of nothing': () => Object.getPrototypeOf(null),
  'define elements of bytes': () => Object.defineProperty(new Uint8Array(1), 0, { get() { return 1; } }),
};
const ofNumbers = ['get', 'set', 'has', 'ownKeys', 'defineProperty', 'deleteProperty', 'getPrototypeOf', 'setPrototypeOf', 'isExtensible', 'preventExtensions', 'getOwnPropertyDescriptor'];

export default function () {
  for (const [name, object] of Object.entries(objects)) {
    for (const [change, act] of Object.entries(ofAll)) {
      attempt(`${name}: ${change}`, () => act(object, name in keys ? keys[name] : 'a'));
    }
  }
  for (const [name, act] of Object.entries(ofSome)) attempt(name, act);
  for (const name of ofNumbers) attempt(`Reflect.${name}`, () => Reflect[name](1, 'a', {}));
  attempt('a prototype by Reflect', () => Reflect.setPrototypeOf({}, 1));
  attempt('named', () => [Object.assign.name, Object.assign.length, Object.defineProperty.name, Object.defineProperty.length, Reflect.get.length]);
  const o = { a: { b: { c: 1, q: 2 } }, list: [1, 2, 3], get g() { return 1; }, 'x y': 2 }, k = 'b'
  delete o.a[k].c
  delete o.list[0], delete o['x y']
  attempt('deleted', () => [delete o.g, delete o?.a?.zip, !delete o.q, typeof delete o.w, delete o.a . z, o, 0 in o.list]);
  Object.defineProperty(objects.frozen, 'last', { value: 1 });
}
