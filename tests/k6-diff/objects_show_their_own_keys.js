import http from 'k6/http';
import { parseHTML } from 'k6/html';
import crypto from 'k6/crypto';
import { Counter, Trend } from 'k6/metrics';

export const options = { iterations: 1 };

const counter = new Counter('c1');
const trend = new Trend('t1', true);

// Keys, keys of `for in` with their types, JSON.
function show(name, object) {
  const all = [];
  for (const key in object) all.push(`${key} ${typeof object[key]}`);
  let json;
  try { json = JSON.stringify(object); } catch (error) { json = String(error); }
  console.log(name, Object.keys(object).filter((key) => key !== 'single').join(), '|', all.filter((key) => key !== 'single function').join(), '|', String(json).replace(/\d{4,}|\d+\.\d+/g, 'N'));
  console.log(name, Object.prototype.toString.call(object), Object.isExtensible(object));
}

export default function () {
  show('jar', http.cookieJar());
  show('new jar', new http.CookieJar());
  show('callback', http.expectedStatuses(200));
  show('file', http.file('x', 'n', 't'));
  // single() came with k6 2.1.
  const selection = parseHTML('<p id="a">x</p>').find('p');
  show('selection', selection);
  show('element', selection.get(0));
  show('hash', crypto.createHash('md5'));
  show('hmac', crypto.createHMAC('md5', 'k'));
  show('counter', counter);
  show('trend', trend);
}
