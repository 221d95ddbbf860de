import { Counter, Trend } from 'k6/metrics';
const one = new Counter('same');
const two = new Counter('same');
try { new Trend('same'); } catch (e) { console.log(e.message); }
export const options = { iterations: 1 };
export default function () { one.add(1); two.add(2); console.log(one.name); }
