// differs in log: the message says which option is wrong
export const options = { iterations: 1, blockHostnames: ['ä.de'] };
export default function () {}
