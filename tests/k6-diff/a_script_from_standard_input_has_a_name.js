// stdin
throw new Error('x');
export default function () {}
