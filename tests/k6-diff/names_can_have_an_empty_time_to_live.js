import exec from 'k6/execution';
export const options = { iterations: 1, dns: { TTL: '', Select: 'first' } };
export default function () {
  console.log(exec.test.options.dns.ttl === '', exec.test.options.dns.select);
}
