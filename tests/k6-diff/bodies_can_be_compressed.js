import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const compression of ['gzip', 'deflate', 'zstd', 'br', 'gzip, br']) {
    const r = http.post(`${__ENV.BASE}/echo`, 'a'.repeat(500), { compression });
    console.log(compression, r.status, r.json('headers.content-encoding'), Number(r.json('headers.content-length')) < 200);
  }
  const own = http.post(`${__ENV.BASE}/echo`, 'text', { compression: 'gzip', headers: { 'Content-Encoding': 'mine' } });
  console.log(own.json('headers.content-encoding'));
  console.log(http.get(`${__ENV.BASE}/echo`, { compression: 'gzip' }).json('headers.content-encoding'));
  const bad = http.post(`${__ENV.BASE}/echo`, 'text', { compression: 'rar' });
  console.log(bad.status, bad.error_code, bad.error);
}
