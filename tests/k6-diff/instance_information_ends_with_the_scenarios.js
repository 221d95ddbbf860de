import exec from 'k6/execution';

export const options = { iterations: 1 };

const told = (where) => {
  for (const key of ['iterationsCompleted', 'iterationsInterrupted', 'vusActive', 'vusInitialized', 'currentTestRunDuration']) {
    try {
      console.log(where, key, typeof exec.instance[key]);
    } catch (error) {
      console.log(where, key, error.message);
    }
  }
};

export function setup() {
  told('setup');
}
export default function () {
  told('iteration');
}
export function teardown() {
  told('teardown');
}
export function handleSummary() {
  told('handleSummary');
  return {};
}
