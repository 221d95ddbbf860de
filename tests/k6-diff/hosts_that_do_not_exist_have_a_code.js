// differs in log: k6 also names the name server
import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const host of ['nowhere.invalid', 'no-such-host.test']) {
    const r = http.get(`http://${host}/`);
    console.log(r.status, r.error_code, r.error, r.remote_ip === '', r.proto === '');
  }
}
