import thing from 'k6/experimental/webcrypto';
export const options = { iterations: 1 };
export default function () {}
