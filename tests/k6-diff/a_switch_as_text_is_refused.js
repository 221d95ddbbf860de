// differs in log: the message says which option is wrong
export const options = { iterations: 1, noConnectionReuse: 'true' };
export default function () {}
