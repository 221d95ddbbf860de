import { check } from 'k6';
export const options = { iterations: 1 };
export default function () {
  console.log(check(1, { a: true }), check(1, { a: true, b: 0 }), check(null, { n: (v) => v === null }));
}
