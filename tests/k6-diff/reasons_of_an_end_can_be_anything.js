import exec from 'k6/execution';
import { attempt } from './modules/attempts.js';

export const options = { iterations: 1 };

attempt('in init code', () => exec.test.fail('x'));

export default function () {
  for (const reason of [undefined, null, 5, '', {}, [1], Symbol('s')]) exec.test.fail(reason);
  exec.test.fail();
  exec.test.abort(null);
}
