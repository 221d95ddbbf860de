// env: K6_DNS=ttl=never,select=first
export const options = { iterations: 1 };
export default function () {}
