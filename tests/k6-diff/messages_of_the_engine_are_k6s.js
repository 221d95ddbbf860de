// People search their logs for these.
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
];

export default function () {
  all.forEach((mistake, index) => {
    try {
      mistake();
      console.log(index, 'fine');
    } catch (error) {
      console.log(index, String(error), '|', error.message);
    }
  });
  const own = new TypeError('mine');
  own.name = 'Own';
  console.log(String(own), `${new Error('x')}`, String(new RangeError()), Error.prototype.toString.call({ name: 'N' }));
  o.forEach((i) => i);
}
