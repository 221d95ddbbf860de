import exec from 'k6/execution';
import { attempt } from './modules/attempts.js';

export const options = { iterations: 1 };

export default function () {
  for (const [name, object] of Object.entries({ instance: exec.instance, vu: exec.vu, test: exec.test, scenario: exec.scenario, metrics: exec.vu.metrics })) {
    const names = Object.keys(object).filter((key) => name !== 'vu' || !['tags', 'metrics'].includes(key)).sort();
    for (const key of names) {
      attempt(`${name}.${key}`, () => [Reflect.set(object, key, 1), Reflect.defineProperty(object, key, { value: 1 }), Reflect.deleteProperty(object, key), Object.getOwnPropertyDescriptor(object, key).configurable]);
    }
    attempt(`more in ${name}`, () => { object.more = 1; return [object.more, delete object.more]; });
  }
  attempt('set', () => { exec.test.abort = 1; });
  attempt('set a number', () => { exec.instance.vusActive = 1; });
  attempt('delete', () => delete exec.scenario.name);
  attempt('define', () => Object.defineProperty(exec.vu, 'idInTest', { value: 1 }));
}
