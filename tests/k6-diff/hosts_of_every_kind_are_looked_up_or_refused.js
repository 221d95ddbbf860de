// differs in log: k6 also names the name server, and shows addresses and unusual URLs in normalised form; here as they are written
import http from 'k6/http';

export const options = { iterations: 1 };

const urls = ['http://[::1%25lo]:1/', 'http://[::1%lo]:1/', 'http://a..b/', 'http://.a/', `http://${'a'.repeat(64)}.de/`, 'http://-/', 'http://0.0.0.0:1/', 'http://0/', 'http://127.1:1/', 'http://0x7f.1:1/', 'http://2130706433:1/', 'http://[::ffff:127.0.0.1]:1/', 'http://127.0.0.1:0/', 'http://127.0.0.1:65536/', 'http://LOCALHOST:1/', 'http://256.1.1.1:1/', 'http://xn--/', 'http://a%20b/', 'http://a b/', 'http://a%41/', 'http://a:b/', 'http://:80/', 'http:///x', 'http://?x', 'http://@/'];

export default function () {
  for (const url of urls) {
    const response = http.get(url, { tags: { name: 'host' } });
    console.log(url.slice(0, 40), response.status, response.error_code, response.error);
  }
}
