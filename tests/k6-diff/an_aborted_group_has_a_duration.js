import { group } from 'k6';
import exec from 'k6/execution';

export default function () {
  group('outer', () => {
    group('inner', () => exec.test.abort('on purpose'));
  });
}
