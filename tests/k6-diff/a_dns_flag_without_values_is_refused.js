// flags: --dns=ttl,select=first
export const options = { iterations: 1 };
export default function () {}
