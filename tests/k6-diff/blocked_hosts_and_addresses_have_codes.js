import http from 'k6/http';
export const options = { iterations: 1, blockHostnames: ['*.blocked.test', 'exact.test'], blacklistIPs: ['127.0.0.2/32', '10.0.0.0/8'], hosts: { 'ten.test': '10.1.2.3', 'fine.test': '127.0.0.1' } };
export default function () {
  for (const host of ['a.blocked.test', 'exact.test', '127.0.0.2', 'ten.test']) {
    const r = http.get(`http://${host}/`);
    console.log(host, r.status, r.error_code, r.error);
  }
  console.log(http.get(`${__ENV.BASE.replace('127.0.0.1', 'fine.test')}/json`).status);
}
