import exec from 'k6/execution';
export const options = { scenarios: { a: { executor: 'shared-iterations', exec: 'work', env: { X: '1' } } } };
export function work() { console.log(exec.scenario.name, __ENV.X); }
