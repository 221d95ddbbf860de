export const options = { iterations: 1, dns: { ttl: 'never' } };
export default function () {}
