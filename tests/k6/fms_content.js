// Load on a guardrails content endpoint, `POST /api/v2/text/detection/content`: the orchestrator here
// and the FMS guardrails orchestrator take the same bodies.
//
//   sparring run tests/k6/fms_content.js -e FMS_BASE_URL=http://localhost:8000 -e FMS_DETECTORS=pii

import http from 'k6/http';
import { check } from 'k6';
import { field } from './lib/reply.js';

const base = __ENV.FMS_BASE_URL || 'http://localhost:8000';
const names = (__ENV.FMS_DETECTORS || 'mock-detector-success').split(',');
const detectors = Object.fromEntries(names.map((name) => [name, {}]));

export const options = {
  thresholds: { checks: ['rate==1'] },
};

export default function () {
  const content = `write to ada@example.org about ${__VU}-${__ITER}`;
  const answer = http.post(
    `${base}/api/v2/text/detection/content`,
    JSON.stringify({ content, detectors }),
    { headers: { 'Content-Type': 'application/json' } },
  );
  check(answer, {
    'is answered': (r) => r.status === 200,
    'spans lie in the content': (r) => {
      const found = field(r, 'detections');
      return r.status === 200 && Array.isArray(found) && found.every((d) => content.slice(d.start, d.end) === d.text);
    },
  });
}
