import http from 'k6/http';
import { parseHTML } from 'k6/html';

export const options = { iterations: 1 };

const page = `<html><head><base id=a href="ba"><link id=b href="li"><script id=c src="s.js"></script></head><body>
<a id=d href="x/y?q=1#h">l</a><a id=e href="">l</a><a id=f>l</a><a id=g href="//other.test/p">l</a><a id=h href="?only">l</a>
<a id=i href="#frag">l</a><a id=j href="mailto:x@y.z">l</a><a id=k href="http://h.test:8080/p">l</a><a id=l href="/a b">l</a><a id=m href="../up/./x">l</a>
<a id=n href="http://h.test">l</a><map><area id=p href="area"></map>
<form id=q action="go"><input id=r type=image src="i.png" formaction="fa"><button id=s formaction="fb">b</button><button id=t>b</button></form><form id=u></form>
<img id=v src="i.png"><img id=w><iframe id=x src="if"></iframe><audio id=y src="au"></audio><video id=z><source id=A src="so"><track id=B src="tr"></video>
<embed id=C src="em"><object id=D data="ob"></object><ins id=E cite=x></ins></body></html>`;
const names = ['href', 'hash', 'host', 'hostname', 'origin', 'pathname', 'port', 'protocol', 'search', 'action', 'formAction', 'src', 'currentSrc', 'data', 'cite', 'toString'];

export default function () {
  const response = http.post(`${__ENV.BASE}/back`, page);
  for (const [where, root] of [['response', response.html()], ['text', parseHTML(page)], ['body', response.html('body')]]) {
    for (const element of root.find('[id]').toArray().map((one) => one.get(0))) {
      const told = names.filter((name) => typeof element[name] === 'function').map((name) => `${name}=${element[name]()}`);
      console.log(where, element.id(), told.join(' '));
    }
  }
  const first = response.html().find('a').get(0);
  console.log(first.selection().attr('href'), first.getAttribute('href'), first.parentNode().querySelector('a').href());
}
