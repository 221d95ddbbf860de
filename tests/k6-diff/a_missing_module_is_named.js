import x from './modules/nowhere.js';
export default function () {}
