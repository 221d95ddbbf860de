// differs in log: the parser stops at the first error
import './modules/broken.js';
export default function () {}
