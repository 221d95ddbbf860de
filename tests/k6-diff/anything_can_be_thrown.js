export const options = { iterations: 13 };
class Own extends Error { constructor(message) { super(message); this.name = 'Own'; } }
const things = [
  () => { throw null; }, () => { throw undefined; }, () => { throw 'text'; }, () => { throw 5; }, () => { throw { a: 1 }; }, () => { throw [1, 2]; }, () => { throw true; },
  () => { throw new Own('own'); }, () => { throw new TypeError('type'); }, () => { throw new Error('cause', { cause: new Error('inner') }); }, () => { nothing; },
  () => { throw Symbol('s'); }, () => { throw new Error(''); },
];
export default function () { things[__ITER](); }
