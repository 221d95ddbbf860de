import { check, group } from 'k6';

export const options = { iterations: 1 };

export default function () {
  check(1, { '': true });
  group('', () => check(1, { '': false }));
  group('one', () => check(1, { '': true, ' ': true }));
  group('two', () => {});
}
