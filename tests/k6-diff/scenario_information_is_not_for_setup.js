import exec from 'k6/execution';
export const options = { iterations: 1 };
export function setup() {
  try { exec.scenario.name; } catch (e) { console.log('setup', e.message); }
  console.log(exec.vu.idInTest, exec.vu.idInInstance);
}
export default function () {}
