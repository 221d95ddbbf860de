import { check } from 'k6';
export const options = { vus: 1, iterations: 4 };
export default function () {
  check(__ITER, { even: (n) => n % 2 === 0, always: () => true, plain: 1, never: '' });
}
