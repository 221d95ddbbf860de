Promise.reject(new Error('lost'));
export default function () {}
