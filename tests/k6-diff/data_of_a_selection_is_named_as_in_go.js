import { parseHTML } from 'k6/html';

const NAMES = ['a-b', 'api-url', 'user-id', 'ids', 'a-ids', 'my-html-page', 'x--y', 'a_b', 'a-b_c', '-lead', 'trail-', '9-x', 'x-9a', 'a-oauth', 'a-utf8', 'a-xss', 'a-os', 'a-acl', 'A-Up', 'url-id'];

export default function () {
  const attributes = NAMES.map((name, index) => `data-${name}="v${index}"`).join(' ');
  const p = parseHTML(`<p ${attributes}>x</p>`).find('p');
  const all = p.data();
  console.log(JSON.stringify(Object.keys(all).sort().map((key) => [key, all[key]])));
  const keys = ['apiUrl', 'apiURL', 'api-url', 'APIURL', 'ApiURL', 'api_url', 'userID', 'userId', 'UserID', 'aIDs', 'aIds', 'a_b', 'nothing'];
  console.log(keys.map((key) => `${key}=${p.data(key)}`).join(' '));
  const values = parseHTML('<p data-a="null" data-b="true" data-c="1.50" data-d="" data-e="undefined" data-f="[1" data-g>x</p>').find('p');
  const data = values.data();
  console.log(Object.keys(data).sort().map((key) => `${key}=${typeof data[key]}:${JSON.stringify(data[key])}`).join(' '));
}
