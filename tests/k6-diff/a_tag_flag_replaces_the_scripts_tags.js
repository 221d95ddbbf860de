// flags: --tag a=flag --tag c=3
export const options = { iterations: 1, tags: { a: 'script', b: 'script' } };
export default function () {}
