export const options = { iterations: 1 };

export default function () {
  const cycle = { name: 'c' };
  cycle.self = cycle;
  console.log('cycle', cycle, [cycle]);
  console.log('symbols', Symbol('x'), Symbol());
  console.log('throws', { toJSON() { throw new Error('j'); } });
  console.log('bigint', { a: 5n }, 5n);
  console.log('functions', () => 1, Object.assign(() => 1, { a: 1 }));
  console.log('errors', new Error('e'), [new Error('in')], Object.assign(new Error('with'), { a: 1 }));
  console.log('wrapped', new String('x'), new Number(5), new Boolean(false), -0, NaN);
  console.log('lone', '\ud800');
  console.log('proxy', new Proxy({ a: 1 }, {}), Object.create(null), Promise.resolve(1));
}
