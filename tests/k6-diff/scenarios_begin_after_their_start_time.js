import exec from 'k6/execution';
export const options = {
  scenarios: {
    first: { executor: 'shared-iterations', iterations: 1, exec: 'one' },
    second: { executor: 'per-vu-iterations', startTime: '500ms', exec: 'two' },
  },
};
export function one() { console.log('one'); }
export function two() { console.log('two', exec.instance.currentTestRunDuration >= 500); }
