import http from 'k6/http';
export const options = { iterations: 1, tlsCipherSuites: ['TLS_OF_MY_OWN'] };
export default function () { http.get(`${__ENV.TLS12}/json`); }
