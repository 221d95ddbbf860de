// `sleep` is in k6, not in k6/http: scripts that import it from there and never call it still run.
import http, { sleep } from 'k6/http';
import { nothing } from 'k6';
import none, { other } from 'k6/metrics';
import common, { one, absent } from './modules/common_parts.js';
import marked, { two, lacking } from './modules/marked_parts.js';
import * as parts from './modules/common_parts.js';

export { nothing as again } from 'k6';

export default function () {
  console.log(typeof http.get, String(sleep), String(nothing), typeof none, String(other));
  console.log(JSON.stringify(common), one, String(absent), JSON.stringify(marked), two, String(lacking), String(parts.missing));
}
