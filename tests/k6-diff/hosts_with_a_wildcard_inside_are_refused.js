export const options = { iterations: 1, hosts: { 'a.*.b': '127.0.0.1' } };
export default function () {}
