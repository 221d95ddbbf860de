import http from 'k6/http';
import { sleep } from 'k6';
export const options = { iterations: 1 };
export default function () {
  console.log(typeof http, typeof http.get, typeof sleep, other);
}
var http = 5;
var sleep = 1, other = 2;
