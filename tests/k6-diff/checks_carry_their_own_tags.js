import { check } from 'k6';
export const options = { iterations: 1, thresholds: { 'checks{part:a}': ['rate==1'], 'checks{part:b}': ['rate==1'] } };
export default function () {
  check(1, { one: true }, { part: 'a' });
  check(1, { two: false }, { part: 'b' });
}
