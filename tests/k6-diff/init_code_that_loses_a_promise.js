// differs in exit code, log: it is an exception like any other
Promise.reject(new Error('lost'));
export default function () {}
