import http from 'k6/http';
export const options = { iterations: 1 };
const attempt = (f) => { try { console.log('status', f().status); } catch (e) { console.log(e.name, e.message.replace(/:\d+/g, ':PORT')); } };
export default function () {
  attempt(() => http.get(`${__ENV.RAW}/close`, { throw: true }));
  attempt(() => http.get('http://127.0.0.1:1/', { throw: true }));
  attempt(() => http.get(`${__ENV.BASE}/status/500`, { throw: true }));
  attempt(() => http.get(`${__ENV.RAW}/close`, { throw: false }));
}
