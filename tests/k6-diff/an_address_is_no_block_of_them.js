// differs in log: the message says which option is wrong
export const options = { iterations: 1, blacklistIPs: ['10.0.0.0'] };
export default function () {}
