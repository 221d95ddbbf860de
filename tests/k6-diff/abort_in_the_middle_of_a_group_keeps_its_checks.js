import exec from 'k6/execution';
import { check, group } from 'k6';
export const options = { iterations: 5 };
export default function () { group('g', () => { check(1, { ok: true }); exec.test.abort(); }); }
