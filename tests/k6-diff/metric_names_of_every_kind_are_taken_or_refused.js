import { Counter, Trend } from 'k6/metrics';
const say = (what, f) => { try { console.log(what, f().name) } catch (e) { console.log(what, 'threw', e.name, e.message) } };
if (__VU === 1)
  for (const name of ['', 'a', 'ab', '1ab', 'a-b', 'a b', 'a.b', 'ü', '_x', 'x'.repeat(128), 'x'.repeat(129), 'x'.repeat(130), null, undefined, 5, {}, 'http_reqs', 'vus', 'checks', 'data_sent'])
    say(JSON.stringify(name), () => new Counter(name));
if (__VU === 1) {
  say('call', () => Counter('called'));
  say('time', () => new Trend('time', true));
  say('time again', () => new Trend('time', false));
  say('odd time', () => new Trend('odd', 'yes'));
  say('other kind', () => new Counter('time'));
}
export const options = { iterations: 1 };
export default function () {}
