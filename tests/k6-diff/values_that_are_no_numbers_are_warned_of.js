import { Trend, Counter } from 'k6/metrics';
const trend = new Trend('values');
const counter = new Counter('counts');
export const options = { iterations: 1 };
export default function () { console.log(trend.add(NaN), trend.add('x'), counter.add(null), counter.add('3')); }
