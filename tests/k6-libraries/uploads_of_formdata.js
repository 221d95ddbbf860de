import http from 'k6/http';
import { FormData } from 'https://jslib.k6.io/formdata/0.0.2/index.js';

export const options = { iterations: 1 };

export default function () {
  const form = new FormData();
  form.boundary = '------boundary';
  form.append('plain', 'a text');
  form.append('number', 3);
  form.append('file', http.file('content', 'a file.txt', 'text/plain'));
  form.append('bytes', { data: new Uint8Array([0, 1, 254, 255]), filename: 'b.bin', content_type: 'application/octet-stream' });
  const body = form.body();
  console.log(body.constructor.name, body.byteLength);
  const response = http.post(`${__ENV.BASE}/echo`, body, {
    headers: { 'Content-Type': `multipart/form-data; boundary=${form.boundary}` },
  });
  console.log(response.status, response.json('body'), response.json('headers.content-type'));
  const large = new FormData();
  large.append('large', http.file('x'.repeat(200000), 'large.txt'));
  console.log(http.post(`${__ENV.BASE}/echo`, large.body()).status, large.body().byteLength > 200000);
}
