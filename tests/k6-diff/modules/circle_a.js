import { got } from './circle_b.js';
export function pick(o, key) { return { ...o[key](...[1]) }; }
export { got };
