// flags: --summary-mode full
import { check, group } from 'k6';
import { Counter } from 'k6/metrics';
const things = new Counter('things');
export const options = { vus: 1, iterations: 2 };
export default function () { group('outer', () => { group('inner', () => { check(1, { yes: true, no: false }); }); things.add(1); }); }
