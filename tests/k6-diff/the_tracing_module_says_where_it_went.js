import thing from 'k6/experimental/tracing';
export const options = { iterations: 1 };
export default function () {}
