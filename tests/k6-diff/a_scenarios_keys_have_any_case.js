import exec from 'k6/execution';
export const options = { scenarios: { a: { Executor: 'per-vu-iterations', VUS: 1, Iterations: 2, gracefulstop: '1s', ExeC: 'other' } } };
export function other() {
  console.log(exec.scenario.executor, exec.scenario.iterationInTest);
}
