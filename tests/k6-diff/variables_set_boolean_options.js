// env: K6_NO_SETUP=true K6_THROW=true
import http from 'k6/http';
export const options = { iterations: 1 };
export function setup() { console.log('not run'); }
export default function () { try { http.get('http://127.0.0.1:1/'); } catch (e) { console.log('threw'); } }
