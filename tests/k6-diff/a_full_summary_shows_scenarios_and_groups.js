// flags: --summary-mode full
import { check, group } from 'k6';
import { Counter } from 'k6/metrics';
const things = new Counter('things');
export const options = { scenarios: { one: { executor: 'shared-iterations', iterations: 2 }, two: { executor: 'per-vu-iterations', exec: 'other' } } };
export default function () { group('g', () => { check(1, { ok: true }); things.add(1); }); }
export function other() { things.add(2); }
