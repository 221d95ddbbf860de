// Users search their logs for these messages.
const o = { a: 1, deep: { x: {} }, list: [1] };
let u;
const nul = null, num = 5;

const all = [
  () => o.nope(1), () => o.deep.x.nope(), () => o.nope`a`,
  () => o
    .deep
    .nope(1),
  () => u.x, () => nul.x, () => u.x.y, () => o.nope.x, () => u[0], () => u['a b'], () => u.x(), () => o.nope.x(1), () => o.deep.y.z,
  () => { u.x = 1; }, () => { nul.x = 1; }, () => { o.nope.x = 1; }, () => { u[0] = 1; },
  () => new o.deep.x.constructor.prototype.valueOf(), () => new (() => 1)(), () => { class A {} A(); },
  () => { t; let t = 1; },
  () => { for (const x of num); }, () => { for (const x of o); }, () => { for (const x of u); }, () => [...num], () => { const [a] = u; }, () => { const [a] = o; },
  () => new Array(-1), () => 'x'.repeat(-1), () => (1).toFixed(200), () => 'a'.normalize('x'), () => decodeURIComponent('%'), () => new Date(NaN).toISOString(), () => [].reduce((a) => a),
  () => { const c = {}; c.c = c; JSON.stringify(c); }, () => JSON.stringify(1n), () => 1n + 1, () => `${Symbol('a')}`,
  () => { class A extends Object { constructor() { this.x = 1; } } new A(); },
  () => { const g = (function* () { g.next(); yield 1; })(); g.next(); },
  () => u(), () => (void 0)(), () => o['a b'](), () => o.list[3](), () => new u(), () => new o.nope(), () => [1].map(), () => [1].find(), () => new Promise(), () => o?.nope(), () => Object.nope(), () => (5).nope(), () => 'x'.nope(),
  () => { const q = 1; q = 2; }, () => { const q = 1; q++; }, () => { Object.freeze({ a: 1 }).a = 2; }, () => { const f = Object.freeze({ a: 1 }); f.a = 2; }, () => { const f = Object.freeze({ a: 1 }); f.b = 2; }, () => { const f = Object.freeze({ a: 1 }); delete f.a; }, () => { const f = { get a() { return 1; } }; f.a = 1; }, () => { 'abc'.length = 1; },
  () => { const { a } = u; }, () => { const { a } = nul; }, () => { (({ a }) => a)(); }, () => { const { a: { b } } = {}; }, () => { const [[x]] = [null]; }, () => { for (const [a] of [1]); }, () => Math.max(...u), () => Math.max(...{}),
  () => Map(), () => Uint8Array(1), () => new Symbol(), () => new Math.max(), () => { function* g() {} new g(); }, () => new Proxy({}, null), () => Object.defineProperty(1, 'a', {}), () => Object.keys(u), () => { const z = {}; Object.setPrototypeOf(z, Object.create(z)); },
  () => [1, 2].sort(1), () => [1].with(5, 1), () => (1).toPrecision(0), () => (1).toExponential(200), () => (1).toString(1), () => 'a'.matchAll(/a/), () => 'a'.replaceAll(/a/, 'b'), () => 'a'.startsWith(/a/), () => new RegExp('('), () => encodeURI('\ud800'), () => 'a'.at.call(null),
  () => +1n, () => 1n / 0n, () => Math.max(1n), () => +Symbol(), () => new DataView(1), () => new Uint16Array(new ArrayBuffer(3)), () => new Uint16Array(new ArrayBuffer(4), 1), () => new Uint8Array(2).set([1, 2, 3]), () => Map.prototype.get.call({}, 1), () => Date.prototype.getTime.call({}), () => ({}) instanceof (() => 1),
  () => { class A { #x = 1; get(z) { return z.#x; } } new A().get({}); }, () => { class A extends Object { constructor() { super(); super(); } } new A(); }, () => nothing, () => nothing(), () => { class A extends 5 {} },
  () => { throw new TypeError('not a function'); }, () => { class A extends TypeError { constructor() { super('not an object'); } } throw new A(); },
];

export default function () {
  all.forEach((mistake, index) => {
    try {
      mistake();
      console.log(index, 'fine');
    } catch (error) {
      console.log(index, error.message, '|', String(error));
    }
  });
  const own = new TypeError('mine');
  own.name = 'Own';
  console.log(String(own), `${new Error('x')}`, String(new RangeError()), Error.prototype.toString.call({ name: 'N' }));
  o.forEach((i) => i);
}
