export const options = { iterations: 1 };

export function setup() {
  return { map: new Map([[1, { a: 2 }], ['x', [3]]]), set: new Set([1, 's']), big: 12345678901234567890n, symbol: Symbol('q'), none: new Date(NaN), date: new Date(0), number: new Number(5), error: new TypeError('t'), pattern: /x/, undefined: undefined, list: [undefined, null] };
}

const show = (data) => JSON.stringify(Object.entries(data).sort());

export default function (...data) {
  console.log(data.length, show(data[0]));
}

export function teardown(...data) {
  console.log(data.length, show(data[0]));
}
