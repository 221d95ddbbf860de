import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.BASE}/json`);
  console.log(Object.keys(r.json()).sort().join(), JSON.stringify(r.json().list), r.json() === r.json(), r.json('name'), r.json('list.#'), r.json('list.1'), r.json('nothing'));
  const text = http.post(`${__ENV.BASE}/back`, 'late');
  console.log(text.json('a.b'));
  try { text.json(); } catch (e) { console.log(e.name, e.message.split(':')[0]); }
  try { http.get(`${__ENV.RAW}/close`).json(); } catch (e) { console.log(e.name, e.message); }
}
