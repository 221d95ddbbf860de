import x from 'github.com/a/b';
export default function () {}
