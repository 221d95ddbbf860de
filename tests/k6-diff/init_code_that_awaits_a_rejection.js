await Promise.reject(new Error('later'));
export default function () {}
