// flags: --user-agent tester/1
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () { console.log(http.get(`${__ENV.BASE}/echo`).json('headers.user-agent')); }
