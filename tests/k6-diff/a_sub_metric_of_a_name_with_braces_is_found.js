import http from 'k6/http';
export const options = { iterations: 1, thresholds: { 'http_reqs{name:http://x/${}}': ['count==1'] } };
export default function () { http.get(`${__ENV.BASE}/json`, { tags: { name: 'http://x/${}' } }); }
