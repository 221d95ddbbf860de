import { check } from 'k6';
export const options = { vus: 2, iterations: 4 };
export function setup() { console.log('setting up'); return { n: 5, gone: undefined, list: [1, 2] }; }
export default function (data) {
  check(data, { number: (d) => d.n === 5, list: (d) => d.list.length === 2, 'no undefined': (d) => !d.gone });
}
export function teardown(data) { console.log(`tearing down ${data.n}`); }
