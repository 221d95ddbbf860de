export const options = { iterations: 1, blockHostnames: ['ä.de'] };
export default function () {}
