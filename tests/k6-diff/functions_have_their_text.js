import { attempt } from './modules/attempts.js';

export const options = { iterations: 1 };

function plain(a, b = 2, ...c) { /* inside */ return { ...a[b](...c) }; }
const arrow = async (x) => { await x; };
const short=[1].map(x=>y=>x+y)[0],minified=function(a){return a};
const expression = function named() {};
class Parent {}
class Child extends Parent {
  constructor() { super(); }

  method(a, b) { return 1; }
  static fixed() {}
  get read() { return 1; }
  *generator() {} #own() {}
  // A comment.
  [1 + 1]() {}
  'quoted' () {} static /* and */ async waits() {}
  field = 1; after() {} ; last() {}
}
const o = { m(a) {}, async n() {}, *g() {}, get x() { return 1; }, set x(v) {}, f: function () {}, a: () => 1 };
const of = (object, name, what) => Object.getOwnPropertyDescriptor(object, name)[what];

const functions = {
  plain, arrow, short, inner: short(1), minified, expression, Parent, Child, nameless: class { m() {} },
  method: Child.prototype.method, fixed: Child.fixed, read: of(Child.prototype, 'read', 'get'), generator: Child.prototype.generator,
  computed: Child.prototype[2], quoted: Child.prototype.quoted, waits: Child.waits, after: Child.prototype.after, last: Child.prototype.last,
  m: o.m, n: o.n, g: o.g, get: of(o, 'x', 'get'), set: of(o, 'x', 'set'), f: o.f, a: o.a,
  made: new Function('a', 'b', 'return a + b'), evaluated: eval('(function q(a) {})'),
  max: Math.max, push: [].push, Array, Object, Function, Symbol, Map, Promise, Date, apply: Function.prototype.apply,
  prototype: Function.prototype, toString: Function.prototype.toString, reflect: Reflect.apply, parse: JSON.parse, random: Math.random,
  bound: plain.bind(1), boundNative: Math.max.bind(1), proxy: new Proxy(plain, {}), size: of(Map.prototype, 'size', 'get'),
  iterator: [][Symbol.iterator], resolve: (() => { let r; new Promise((resolve) => { r = resolve; }); return r; })(),
};

export default function () {
  for (const [name, f] of Object.entries(functions)) attempt(name, () => [Function.prototype.toString.call(f), f.length, f.name]);
  for (const value of [{}, 1, undefined, null, 'x', []]) attempt('of no function', () => Function.prototype.toString.call(value));
  attempt('in a text', () => `${plain} ${arrow}`);
  attempt('a native is recognised', () => {
    const text = (f) => Function.prototype.toString.call(f);
    const pattern = text(Object.prototype.hasOwnProperty).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replace(/hasOwnProperty|(function).*?(?=\\\()/g, '$1.*?');
    const isNative = RegExp(`^${pattern}$`);
    return [Map, Math.max, Function.prototype.toString, plain, Child].map((f) => isNative.test(text(f)));
  });
}
