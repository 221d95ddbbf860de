import { SharedArray } from 'k6/data';

export const options = { iterations: 1 };

const say = (what, f) => { try { console.log(what, JSON.stringify(f())); } catch (e) { console.log(what, 'threw', String(e)); } };

say('nothing', () => new SharedArray());
say('no function', () => new SharedArray('x'));
say('null function', () => new SharedArray('x', null));
say('empty name', () => new SharedArray('', () => []));
for (const name of [null, undefined, 5, true, {}]) say(`name ${name}`, () => new SharedArray(name, () => [String(name)]));
say('same name as text', () => new SharedArray('null', () => ['other']));
for (const value of [null, undefined, 5, 'abc', {}, { length: 1, 0: 1 }, new Uint8Array([1])]) say(`of ${JSON.stringify(value)}`, () => new SharedArray(`of ${JSON.stringify(value)}`, () => value));
say('odd items', () => new SharedArray('odd', () => [null, NaN, new Date(0), new Map(), { a: undefined, f: () => 1 }, 3]));
for (const value of [undefined, () => 1, Symbol('x')]) say(`item ${typeof value}`, () => new SharedArray(`item ${typeof value}`, () => [value, 1])[0]);
say('throws', () => new SharedArray('throws', () => { throw new RangeError('mine'); }));

export default function () {
  say('late', () => new SharedArray('late', () => []));
}
