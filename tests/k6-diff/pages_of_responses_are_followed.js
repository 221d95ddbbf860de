import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const page = http.get(`${__ENV.BASE}/page`);
  console.log(page.html('h1').text(), page.html().find('a').size());
  const next = page.clickLink();
  console.log(next.status, next.json('name'));
  const other = page.clickLink({ selector: '#second', params: { headers: { 'X-A': 'b' } } });
  console.log(other.json('method'), other.json('headers.x-a'));
  const sent = page.submitForm({ formSelector: '#post', fields: { more: '2', t: 'two words' } });
  console.log(sent.json('method'), sent.json('headers.content-type'), sent.json('body'));
  const asked = page.submitForm({ formSelector: '#get' });
  console.log(asked.json('method'), asked.url.replace(__ENV.BASE, ''));
  for (const f of [() => page.clickLink({ selector: '#no' }), () => page.submitForm({ formSelector: '#no' }), () => http.get(`${__ENV.BASE}/page`, { responseType: 'none' }).html()]) {
    try {
      f();
    } catch (e) {
      console.log(String(e).replaceAll(__ENV.BASE, ''));
    }
  }
}
