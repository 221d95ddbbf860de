// flags: --tag x=y
import exec from 'k6/execution';
export const options = { iterations: 1, userAgent: 'me', thresholds: { iterations: ['count>0'] }, discardResponseBodies: true };
export default function () {
  const o = exec.test.options;
  console.log(JSON.stringify(o.scenarios), o.iterations, o.userAgent, JSON.stringify(o.tags), o.discardResponseBodies);
  console.log(JSON.stringify(o.thresholds));
}
