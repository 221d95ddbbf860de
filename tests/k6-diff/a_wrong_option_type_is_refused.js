// differs in log: the message says which option is wrong, k6 says what Go could not parse
export const options = { vus: 'many', duration: '1s' };
export default function () {}
