// differs in console: here objects are instances of their classes, functions of k6 do not show the number of their arguments, and members that init code may not read throw only when they are read
import http from 'k6/http';
import * as all from 'k6/metrics';
import exec from 'k6/execution';

export const options = { iterations: 1 };

const counter = new all.Counter('c1');
const say = (what, f) => { try { console.log(what, JSON.stringify(f())); } catch (e) { console.log(what, 'threw', String(e)); } };

say('in init code', () => Object.keys(exec.vu).length);

export default function () {
  say('instances', () => [http.cookieJar() instanceof http.CookieJar, counter instanceof all.Counter]);
  say('namespace', () => Object.keys(all).sort());
  say('function', () => [http.get.length, String((a) => a)]);
  say('new objects', () => exec.vu === exec.vu);
  say('read only', () => { 'use strict'; counter.name = 'x'; });
  const response = http.get(`${__ENV.BASE}/json`);
  say('the same value', () => { response.json().x = 1; return response.json(); });
  say('typed fields', () => { response.status = 'abc'; return response.status; });
  say('texts', () => { __ENV.NUMBER = 5; return __ENV.NUMBER; });
  say('times', () => new Date(0).toLocaleString());
}
