import { Counter, Trend, Rate, Gauge } from 'k6/metrics';
const c = new Counter('my_counter'), t = new Trend('my_trend'), r = new Rate('my_rate'), g = new Gauge('my_gauge');
export const options = { iterations: 1 };
export default function () {
  const say = (what, f) => { try { console.log(what, f()) } catch (e) { console.log(what, 'threw', e.name, e.message) } };
  for (const [name, value] of [['none', undefined], ['null', null], ['text', 'abc'], ['number text', '5'], ['empty', ''], ['true', true], ['false', false], ['nan', NaN], ['object', {}], ['list', [5]], ['date', new Date(7)], ['valueOf', { valueOf: () => 3 }]]) {
    say(`counter ${name}`, () => c.add(value));
    say(`trend ${name}`, () => t.add(value));
    say(`rate ${name}`, () => r.add(value));
    say(`gauge ${name}`, () => g.add(value));
  }
  for (const [name, tags] of [['null', null], ['text', 'abc'], ['number', 5], ['list', ['a']], ['inside', { a: {} }], ['nil inside', { a: null }], ['fine', { a: 1, b: true }]])
    say(`tags ${name}`, () => c.add(1, tags));
  say('negative', () => c.add(-1));
  say('no call', () => c.add());
  say('name', () => { try { c.name = 'other' } catch (e) { return e.name } });
  say('later', () => new Counter('late'));
}
