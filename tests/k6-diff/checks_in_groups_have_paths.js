import { check, group } from 'k6';
export const options = { iterations: 2 };
export default function () {
  check(1, { same: true });
  group('g', () => {
    check(1, { same: (n) => n === 1, other: __ITER === 0 });
    group('h', () => check(1, { same: false }));
  });
}
