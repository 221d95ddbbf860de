import http from 'k6/http';

export const options = { iterations: 1 };

const say = (what, f) => { try { console.log(what, JSON.stringify(f())); } catch (e) { console.log(what, 'threw', String(e)); } };

export default function () {
  const first = http.get(`${__ENV.BASE}/json`);
  first.body = '{"a":5}';
  say('json', () => [first.json(), first.json('a'), first.json('name')]);
  const second = http.get(`${__ENV.BASE}/json`);
  second.json();
  second.body = '{"a":5}';
  say('after json', () => [second.json().name, second.json('a'), second.json('name')]);
  const page = http.get(`${__ENV.BASE}/page`);
  page.body = '<p>new</p><a href="/json">link</a>';
  say('html', () => [page.html('p').text(), page.clickLink().url.replace(__ENV.BASE, '')]);
  first.body = 'none';
  say('no json', () => first.json('a'));
}
