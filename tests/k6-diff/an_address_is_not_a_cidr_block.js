export const options = { iterations: 1, blacklistIPs: ['10.0.0.0'] };
export default function () {}
