import { Counter } from 'k6/metrics';
const c = new Counter('things');
export const options = { iterations: 1, tags: { a: 'run', b: 'run' }, scenarios: { s: { executor: 'shared-iterations', tags: { b: 'scenario', c: 'scenario' } } } };
export default function () { c.add(1, { c: 'sample', d: 4, e: true }); }
