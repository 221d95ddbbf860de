import http from 'k6/http';
export const options = { iterations: 1 };
const attempt = (params) => { try { const r = http.get(`${__ENV.BASE}/json`, params); console.log(r.status, r.error_code, r.error); } catch (e) { console.log(e.name, e.message); } };
export default function () {
  attempt({ tags: { a: {} } });
  attempt({ tags: 5 });
  attempt({ tags: { a: 1, b: true, c: 'x', d: null } });
  attempt({ tags: { status: 'own', method: 'own' } });
  attempt({ tags: { name: 'own' } });
  attempt(5);
  attempt({ nonsense: 1, headers: 5, cookies: 5, jar: 5 });
}
