import { x } from './modules/stars.js';
export default function () { console.log(x); }
