import { attempt } from './modules/attempts.js';

export const options = { iterations: 1 };

class Parent {}

class Child extends Parent {
  own(key) { return this[key](); }
  inherited(key) { return super[key](); }
}

const calls = {
  missing: (o, key) => o[key](),
  arguments: (o, key) => o[key](1, 'x'),
  spread: (o, key) => o[key](...[1]),
  nested: (o, key) => o.object[key](o[key](1)),
};

export default function () {
  const o = { number: 1, nothing: null, object: {}, text: 'x', list: [1, 2], f(a, b) { return [this === o, a, b, arguments.length]; } };
  const keys = ['missing', 'number', 'nothing', 'object', 'text', 'list', 0, 1.5, 'a b', '', Symbol('sym'), null, undefined, {}, [1, 2], Symbol.iterator, 'f'];
  for (const [name, call] of Object.entries(calls)) {
    for (const key of keys) attempt(`${name} ${String(key)}`, () => call(o, key));
  }
  attempt('of a list', () => { const i = 3; return [1][i](); });
  attempt('of a text', () => { const m = 'nope'; return 'abc'[m](1); });
  attempt('of a number', () => { const m = 'nope'; return (5)[m](1); });
  attempt('spelled out', () => o['no' + 'pe']());
  attempt('in this', () => new Child().own('zzz'));
  attempt('in super', () => new Child().inherited('zzz'));
  attempt('of nothing', () => { const m = 'nope'; let nothing; return nothing[m](); });
  attempt('in order', () => {
    const order = [];
    const step = (name, value) => { order.push(name); return value; };
    step('object', o)[step('key', 'f')](step('a', 1), step('b', 2));
    return order;
  });
  attempt('read once', () => {
    let times = 0;
    const key = 'g';
    return [{ get g() { times++; return () => times; } }[key](), times];
  });
  attempt('in itself', () => {
    const list = { each(f, n) { return n === 0 ? 0 : 1 + f(n - 1); } };
    const deep = (n, key = 'each') => list[key](deep, n);
    return deep(500);
  });
  attempt('what it throws', () => { const key = 'f'; return ({ f() { null.x; } })[key](); });
}
