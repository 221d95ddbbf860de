import http from 'k6/http';

export default function () {
  const page = http.get(`${__ENV.BASE}/page`);
  const path = (response) => response.url.replace(__ENV.BASE, '');
  console.log(page.submitForm({ fields: { t: 'w', extra: 'e' } }).json('body'));
  console.log(page.submitForm().json('body'));
  console.log(path(page.submitForm({ formSelector: '#get', fields: { q: 'ä' } })));
  console.log(page.submitForm({ formSelector: '#post' }).json('body'));
}
