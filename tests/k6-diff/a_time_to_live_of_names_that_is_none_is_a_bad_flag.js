// flags: --dns=ttl=-1
export const options = { iterations: 1 };
export default function () {}
