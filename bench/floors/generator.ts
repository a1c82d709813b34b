/**
 * The floor of a call between two threads of one agent: two bare generator switches. The dispatcher resumes the client,
 * which yields; resumes the server, which yields: control has gone there and back, and nothing was said.
 */
function* bareThread(): Generator<void, never, void> {
  for (;;) yield;
}

export interface GeneratorPair {
  run(count: number): void;
}

export function generatorPair(): GeneratorPair {
  const client = bareThread();
  const server = bareThread();
  return {
    run(count) {
      for (let round = 0; round < count; round++) {
        client.next();
        server.next();
      }
    },
  };
}
