import thing from 'k6/experimental/timers';
export const options = { iterations: 1 };
export default function () {}
