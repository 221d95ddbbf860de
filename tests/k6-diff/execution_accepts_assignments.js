import exec from 'k6/execution';

export const options = { iterations: 1 };

const say = (what, f) => { try { const v = f(); console.log(what, typeof v, JSON.stringify(v)); } catch (e) { console.log(what, 'threw', String(e)); } };
const sorted = (object) => Object.entries(object).sort();

export function setup() {
  say('in scenario', () => exec.vu.iterationInScenario);
  say('in instance', () => exec.vu.iterationInInstance);
}

export default function () {
  say('keys', () => Object.keys(exec.test.options));
  say('tags', () => { exec.vu.tags = { a: 'b' }; return sorted(exec.vu.tags); });
  say('metrics', () => { exec.vu.metrics = {}; return Object.keys(exec.vu.metrics).sort(); });
  const values = { null: null, undefined: undefined, object: {}, list: [1], function: () => 1, bigint: 5n, date: new Date(0), number: 1.5, bool: false, text: 'x', empty: '', nan: NaN };
  for (const [name, value] of Object.entries(values)) {
    say(`tag ${name}`, () => { exec.vu.metrics.tags[name] = value; return exec.vu.tags[name]; });
    say(`metadata ${name}`, () => { exec.vu.metrics.metadata[name] = value; return exec.vu.metrics.metadata[name]; });
  }
  say('symbol', () => { exec.vu.tags[Symbol('x')] = 'x'; });
  say('all', () => [sorted(exec.vu.tags), sorted(exec.vu.metrics.metadata)]);
}
