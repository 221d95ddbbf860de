import * as metrics from 'k6/metrics';
import * as http from 'k6/http';
import * as own from './modules/own_default.js';
import * as named from './modules/named_only.js';
import * as made from './modules/made_default.js';
import * as converted from './modules/converted.js';
import whole, * as wholeToo from './modules/own_default.js';
import { default as again } from './modules/made_default.js';
import encoding from 'k6/encoding';
import { attempt } from './modules/attempts.js';

export const options = { iterations: 1 };
export { default as passedOn } from './modules/converted.js';

const required = [require('k6/crypto'), require('./modules/named_common.js')];

export default function () {
  for (const [name, all] of Object.entries({ metrics, http, own, named, made, converted, wholeToo })) {
    attempt(name, () => [Object.keys(all).sort().slice(0, 3), typeof all.default, 'default' in all, Object.prototype.toString.call(all)]);
  }
  attempt('defaults', () => [whole, wholeToo.default === whole, again, typeof encoding.b64encode]);
  attempt('required', () => required.map((all) => [Object.keys(all).sort().slice(0, 3), 'default' in all]));
  attempt('members', () => { const names = []; for (const name in metrics) names.push(name); return names.sort(); });
  console.log(JSON.stringify([own, named, made]));
}
