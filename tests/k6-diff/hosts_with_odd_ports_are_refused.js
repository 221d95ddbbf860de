export const options = { iterations: 1, hosts: { a: '127.0.0.1:x' } };
export default function () {}
