import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.BASE}/json`);
  // The order of an object's keys varies in k6.
  const json = (value) => JSON.stringify(value && value.name && value.list ? Object.entries(value).sort() : value);
  const say = (what, f) => { try { console.log(what, json(f())) } catch (e) { console.log(what, 'threw', e.name, e.message.replace(/\d+/g, 'N')) } };
  for (const selector of ['name', 'list', 'list.0', 'list.#', 'list.9', 'nothing', '', '.', '..', '*', 'na*', 'list.-1', '@this', '@reverse', '@pretty', '#', '{name,list}', '[name,list.0]', '\\', 'list.#(>1)', null, undefined, 5, {}, []])
    say(`json ${JSON.stringify(selector)}`, () => r.json(selector));
  const empty = http.get(`${__ENV.BASE}/status/200`);
  say('empty', () => empty.json());
  say('empty selected', () => empty.json('a'));
  const nothing = http.get(`${__ENV.BASE}/json`, { responseType: 'none' });
  say('none', () => nothing.json());
  say('none selected', () => nothing.json('a'));
  say('none html', () => nothing.html());
  const bytes = http.get(`${__ENV.BASE}/json`, { responseType: 'binary' });
  say('binary', () => bytes.json('name'));
  const page = http.get(`${__ENV.BASE}/page`);
  say('page', () => page.json());
  say('no link', () => page.clickLink({ selector: 'a.none' }).status);
  say('no form', () => page.submitForm({ formSelector: 'form.none' }).status);
  say('odd link', () => page.clickLink(5).status);
  say('odd form', () => page.submitForm(5).status);
  say('odd fields', () => page.submitForm({ formSelector: '#post', fields: 5 }).status);
  say('odd selector', () => page.html('a[').size());
}
