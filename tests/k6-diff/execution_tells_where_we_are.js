import exec from 'k6/execution';
import { check } from 'k6';
export const options = { scenarios: { here: { executor: 'per-vu-iterations', vus: 1, iterations: 3 } } };
export default function () {
  console.log(`${exec.scenario.name} ${exec.scenario.executor} ${exec.vu.idInTest} ${exec.vu.iterationInScenario} ${exec.scenario.iterationInTest}`);
  check(exec, { 'one VU': (e) => e.instance.vusInitialized === 1, completed: (e) => e.instance.iterationsCompleted === __ITER });
}
