import './modules/broken.js';
export default function () {}
