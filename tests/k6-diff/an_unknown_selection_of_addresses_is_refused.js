export const options = { iterations: 1, dns: { select: 'last' } };
export default function () {}
