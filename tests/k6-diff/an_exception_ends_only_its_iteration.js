import { Counter } from 'k6/metrics';
const after = new Counter('after_it');
export const options = { iterations: 4 };
export default function () {
  if (__ITER % 2 === 1) throw new Error('odd one');
  after.add(1);
}
