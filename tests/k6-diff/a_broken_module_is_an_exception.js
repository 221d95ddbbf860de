// differs in log: k6 also counts the further syntax errors of the file; here only the first one is reported
import './modules/broken.js';
export default function () {}
