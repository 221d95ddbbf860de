import http from 'k6/http';
http.get(`${__ENV.BASE}/json`);
export default function () {}
