// differs in log: k6 names only the text that is not a number; here the message names the option
export const options = { vus: 'many', duration: '1s' };
export default function () {}
