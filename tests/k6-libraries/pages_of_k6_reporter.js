import http from 'k6/http';
import { check, group } from 'k6';
import { htmlReport } from 'https://raw.githubusercontent.com/benc-uk/k6-reporter/main/dist/bundle.js';

export const options = { iterations: 2, thresholds: { http_reqs: ['count>0'], checks: ['rate>0.99'] } };

export default function () {
  group('a group', () => check(http.get(`${__ENV.BASE}/json`), { fine: (r) => r.status === 200, not: (r) => r.status === 1 }));
}

export function handleSummary(data) {
  const page = htmlReport(data, { title: 'a title' });
  const text = page.replace(/<style[\s\S]*?<\/style>|<script[\s\S]*?<\/script>/g, '').replace(/<[^>]*>/g, ' ');
  console.log(text.replace(/\d[\d.:T-]*/g, 'N').replace(/\s+/g, ' '));
  return { stdout: `${page.startsWith('<!DOCTYPE html>')}\n` };
}
