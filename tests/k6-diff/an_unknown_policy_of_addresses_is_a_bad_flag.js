// flags: --dns=ttl=5m,policy=both
export const options = { iterations: 1 };
export default function () {}
