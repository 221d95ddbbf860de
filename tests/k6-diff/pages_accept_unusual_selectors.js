import http from 'k6/http';

export const options = { iterations: 1 };

const say = (what, f) => { try { console.log(what, JSON.stringify(f())); } catch (e) { console.log(what, 'threw', String(e)); } };

export default function () {
  const page = http.get(`${__ENV.BASE}/page`);
  const path = (response) => response.url.replace(__ENV.BASE, '');
  for (const value of [null, undefined, 5, {}, '#nothing', 'h1']) {
    say(`html ${value}`, () => page.html(value).size());
    say(`clickLink ${value}`, () => path(page.clickLink({ selector: value })));
    say(`submitForm ${value}`, () => path(page.submitForm({ formSelector: value })));
    say(`submit button ${value}`, () => path(page.submitForm({ submitSelector: value })));
  }
  for (const options of [null, undefined, 5, 'x', {}]) {
    say(`clickLink of ${options}`, () => path(page.clickLink(options)));
    say(`submitForm of ${options}`, () => path(page.submitForm(options)));
  }
}
