// differs in log: the message says which option is wrong
export const options = { iterations: 1, ext: 5 };
export default function () {}
