// Requests as an integration sends them: no browser, no cookie, a connection of their own.

import http from 'node:http';

/** What a server answered. */
export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** Sends one request and reads its answer. */
export function send(
  url: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: http.OutgoingHttpHeaders; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Asks `GET /api/v1/whoami` with a secret. */
export function whoami(origin: string, secret: string): Promise<Answer> {
  return send(`${origin}/api/v1/whoami`, { headers: { 'X-API-Key': secret } });
}
