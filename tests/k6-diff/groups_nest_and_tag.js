import { check, group } from 'k6';
export const options = { iterations: 2 };
export default function () {
  const got = group('outer', () => {
    check(1, { outside: true });
    group('inner', () => check(0, { inside: (v) => v === 1 }));
    group('empty', () => {});
    return 7;
  });
  check(got, { 'the result comes back': (v) => v === 7 });
}
