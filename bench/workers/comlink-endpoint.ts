/**
 * Comlink speaks to event targets; Node's ports and workers are emitters. The same few lines as Comlink's own adapter.
 */
import type { Endpoint } from 'comlink';

interface Emitter {
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  on(event: 'message', listener: (data: unknown) => void): unknown;
  off(event: 'message', listener: (data: unknown) => void): unknown;
}

type Listener = EventListenerOrEventListenerObject;

export function endpointOf(emitter: Emitter): Endpoint {
  const listeners = new WeakMap<Listener, (data: unknown) => void>();
  return {
    postMessage: (message: unknown, transfer?: Transferable[]) => emitter.postMessage(message, transfer),
    addEventListener(_type: string, listener: Listener) {
      const wrapped = (data: unknown): void => {
        const event = { data } as MessageEvent;
        if (typeof listener === 'function') listener(event);
        else listener.handleEvent(event);
      };
      listeners.set(listener, wrapped);
      emitter.on('message', wrapped);
    },
    removeEventListener(_type: string, listener: Listener) {
      const wrapped = listeners.get(listener);
      if (wrapped !== undefined) emitter.off('message', wrapped);
    },
  };
}
