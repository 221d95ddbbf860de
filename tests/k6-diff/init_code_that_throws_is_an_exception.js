throw new TypeError('at once');
export default function () {}
