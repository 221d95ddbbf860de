import exec from 'k6/execution';
export const options = { scenarios: { a: { executor: 'per-vu-iterations', vus: 1, iterations: 3 }, b: { executor: 'shared-iterations', iterations: 2, startTime: '400ms' } } };
export default function () { console.log(exec.scenario.name, __ITER, exec.vu.iterationInInstance, exec.vu.iterationInScenario, exec.scenario.iterationInInstance, exec.scenario.iterationInTest); }
