// differs in log: k6 says only which text is no number; here the message says which option is wrong
export const options = { vus: 'many', duration: '1s' };
export default function () {}
