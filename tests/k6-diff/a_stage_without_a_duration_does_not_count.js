import exec from 'k6/execution';
export const options = { stages: [{ target: 5 }, {}, null, { duration: null, target: 1 }] };
export default function () {
  console.log(Object.keys(exec.test.options.scenarios), exec.scenario.executor);
}
