import { n, inc } from './modules/live.js';
import * as live from './modules/live.js';
import { b } from './modules/cycle_b.js';
import common, { x, self } from './modules/common.js';
import outer from './modules/outer.js';
inc();
if (__VU) console.log(n, live.n, live.default, Object.keys(live).sort().join(), b(), x, self, common.es, common.kind, outer);
export const options = { iterations: 1 };
export default function () { console.log(n, live.n); }
