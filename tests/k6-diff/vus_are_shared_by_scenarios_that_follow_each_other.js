import exec from 'k6/execution';
export const options = {
  scenarios: {
    a: { executor: 'shared-iterations', iterations: 1, maxDuration: '400ms', gracefulStop: '0s' },
    b: { executor: 'shared-iterations', iterations: 1, startTime: '600ms' },
  },
};
export default function () { console.log(exec.scenario.name, exec.vu.idInTest, exec.vu.iterationInInstance, exec.vu.iterationInScenario, __ITER); }
