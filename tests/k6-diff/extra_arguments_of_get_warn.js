import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  console.log(http.get(`${__ENV.BASE}/json`, {}).status, http.get(`${__ENV.BASE}/json`, null).status, http.get(`${__ENV.BASE}/json`, undefined).status);
  try { console.log(http.get().status); } catch (e) { console.log(e.name, e.message); }
}
