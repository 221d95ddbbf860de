throw 'only text';
export default function () {}
