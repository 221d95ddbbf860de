import http from 'k6/http';
export const options = { iterations: 1 };
export default async function () {
  const order = [];
  const slow = http.asyncRequest('GET', `${__ENV.BASE}/delay/300`).then((r) => order.push(`slow ${r.status}`));
  const fast = http.asyncRequest('POST', `${__ENV.BASE}/echo`, { a: 'b' }).then((r) => order.push(`fast ${r.json('body')}`));
  order.push('begun');
  await Promise.all([slow, fast]);
  console.log(order.join(', '));
  const failed = await http.asyncRequest('GET', `${__ENV.RAW}/close`);
  console.log(failed.status, failed.error_code);
  try { await http.asyncRequest('GET', `${__ENV.RAW}/close`, null, { throw: true }); } catch (e) { console.log('rejected'); }
}
