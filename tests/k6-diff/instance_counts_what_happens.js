import exec from 'k6/execution';
export const options = { scenarios: { a: { executor: 'per-vu-iterations', vus: 1, iterations: 3 } } };
export default function () {
  const i = exec.instance;
  console.log(i.iterationsCompleted, i.iterationsInterrupted, i.vusActive, i.vusInitialized, i.currentTestRunDuration > 0);
  console.log(exec.scenario.progress, exec.scenario.iterationInInstance, exec.scenario.startTime > 1e12);
}
