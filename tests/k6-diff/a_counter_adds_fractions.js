import { Counter } from 'k6/metrics';
const counter = new Counter('halves');
export const options = { iterations: 3 };
export default function () { counter.add(0.5); counter.add(true); }
