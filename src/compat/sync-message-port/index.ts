/**
 * `l3kernel/sync-message-port`: the surface of sync-message-port 1.2 over shared memory.
 * docs/migrating/sync-message-port.md says what differs.
 *
 * The two sides may be any two threads: workers that the program starts itself belong to no system of ours. So this is
 * not built on tasks; it shares the kernel's codec and its way to wait. The MessagePort below carries what only
 * `postMessage` can, rings the event loop of a side that listens, and tells that the other thread has ended.
 */
import { EventEmitter } from 'node:events';
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Transferable } from 'node:worker_threads';
import { CodecError, decode, encode } from '../../rpc/codec.ts';
import { isRing, makeRing, RingReader, RingWriter } from './ring.ts';
import { performance, queueMicrotask, setImmediate } from '../../platform/timers.ts';

export interface ReceiveMessageOptions {
  /** Milliseconds to wait for a message. */
  timeout?: number;
  /** What is returned when no message came in time; without it a TimeoutException is thrown. */
  timeoutValue?: unknown;
  /** What is returned when the channel is closed; without it an Error is thrown. */
  closedValue?: unknown;
}

export class TimeoutException extends Error {}

/** A message that went by the port. */
interface Parcel {
  readonly number: number;
  readonly value: unknown;
}

/** How long a sleeper sleeps before it looks whether the other thread is still there. */
const LOOK_ms = 100;
const BELL = 0;
/** Messages that are emitted before the event loop turns, as of a MessagePort. */
const TURN_MESSAGES = 1000;

export class SyncMessagePort extends EventEmitter {
  /** A channel whose ports are to be given to `new SyncMessagePort()`, each in its thread. */
  static createChannel(): MessageChannel {
    const channel = new MessageChannel();
    const [there, back] = [makeRing(), makeRing()];
    channel.port1.postMessage([there, back]);
    channel.port2.postMessage([back, there]);
    return channel;
  }

  private readonly port: MessagePort;
  private readonly reader: RingReader;
  private readonly writer: RingWriter;
  private readonly parcels = new Map<number, unknown>();
  private isClosed = false;
  /** `emitNext` is going to run. */
  private isEmitting = false;
  private leftOfTurn = TURN_MESSAGES;

  constructor(port: MessagePort) {
    super();
    this.port = port;
    const rings = (receiveMessageOnPort(port) as { message: unknown } | undefined)?.message;
    if (!Array.isArray(rings) || !rings.every(isRing)) {
      throw new Error('new SyncMessagePort() must be passed a port from SyncMessagePort.createChannel().');
    }
    this.reader = new RingReader(rings[0]!);
    this.writer = new RingWriter(rings[1]!);
    this.port.on('messageerror', (error) => {
      if (this.listenerCount('messageerror') === 0) throw error;
    });
    // Before the user's listeners: all messages come before the end. Those of the port have come.
    this.port.on('close', () => this.emitRest());
    this.on('newListener', (event: string, listener: () => void) => {
      if (event !== 'message') this.port.on(event, listener);
      else if (this.listenerCount(event) === 0) this.startListening();
    });
    this.on('removeListener', (event: string, listener: () => void) => {
      if (event !== 'message') this.port.off(event, listener);
      else if (this.listenerCount(event) === 0) this.stopListening();
    });
  }

  /** As `MessagePort.postMessage()`. */
  postMessage(value: unknown, transferList?: readonly Transferable[]): void {
    if (this.isClosed) return;
    if ((transferList !== undefined && transferList.length > 0) || !this.putInRing(value)) {
      const parcel: Parcel = { number: this.writer.next, value };
      this.port.postMessage(parcel, (transferList ?? []) as Transferable[]);
    }
    if (this.writer.publish()) this.port.postMessage(BELL);
  }

  /** False: the value has to go by the port, which says what it thinks of it. */
  private putInRing(value: unknown): boolean {
    try {
      const { bytes, length, functions, carried } = encode(value, 'message');
      return functions === null && carried === null && this.writer.put(bytes, length);
    } catch (error) {
      if (error instanceof CodecError) return false;
      throw error;
    }
  }

  /** The next message in an object of its own; undefined when there is none. Does not wait. */
  receiveMessageIfAvailable(): { message: unknown } | undefined {
    return this.isClosed || !this.reader.hasMessage() ? undefined : { message: this.take() };
  }

  /** The next message. Blocks until there is one. Throws when the channel is closed and all messages are read. */
  receiveMessage(options: ReceiveMessageOptions = {}): unknown {
    const { timeout } = options;
    const deadline_ms = timeout === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeout;
    while (!this.isClosed) {
      // What was posted before the end is there once the end is seen.
      const isOver = this.reader.isClosed();
      if (this.reader.hasMessage()) return this.take();
      if (isOver) break;
      const left_ms = deadline_ms - performance.now();
      if (left_ms <= 0) {
        if ('timeoutValue' in options) return options.timeoutValue;
        throw new TimeoutException('SyncMessagePort.receiveMessage() timed out.');
      }
      this.reader.wait(Math.min(left_ms, LOOK_ms));
      if (!this.reader.hasMessage() && this.peerIsGone()) this.reader.close();
    }
    if ('closedValue' in options) return options.closedValue;
    throw new Error("The SyncMessagePort's channel is closed.");
  }

  /** As `MessagePort.close()`: both sides. */
  close(): void {
    this.isClosed = true;
    this.port.close();
    this.reader.close();
    this.writer.close();
  }

  private take(): unknown {
    const { reader } = this;
    const bytes = reader.take();
    const { next } = reader;
    reader.next = (next + 1) | 0;
    if (bytes !== null) return decode(bytes, 0, bytes.length, null);
    while (!this.parcels.has(next)) if (!this.collect()) throw new Error('a message of the channel is missing');
    const value = this.parcels.get(next);
    this.parcels.delete(next);
    return value;
  }

  /** Takes one thing from the port, waiting for none. False: nothing was there. */
  private collect(): boolean {
    const received = receiveMessageOnPort(this.port) as { message: unknown } | undefined;
    if (received === undefined) return false;
    this.keep(received.message);
    return true;
  }

  /**
   * Whoever takes a bell from the port answers it, and sees to it that the listeners hear of what came before the
   * answer: for that no other is rung.
   */
  private keep(message: unknown): void {
    if (message !== BELL) {
      this.parcels.set((message as Parcel).number, (message as Parcel).value);
      return;
    }
    this.reader.answerBell();
    this.emitSoon();
  }

  /**
   * Whether the thread of the other side has ended. The port hears of it by a message too, which is only acted upon
   * when the port is asked for messages; what it is then can be told without the event loop by trying to transfer it.
   * It is never transferred: it is in the list twice.
   */
  private peerIsGone(): boolean {
    while (this.collect());
    try {
      structuredClone(null, { transfer: [this.port, this.port] });
      return false;
    } catch (error) {
      return /already detached/.test((error as Error).message);
    }
  }

  private readonly onPort = (message: unknown): void => this.keep(message);

  private emitSoon(): void {
    if (this.isEmitting) return;
    this.isEmitting = true;
    this.continueEmitting();
  }

  private continueEmitting(): void {
    // Ticks alone would run before any promise settles.
    if (this.leftOfTurn > 0) queueMicrotask(() => process.nextTick(this.emitNext));
    else setImmediate(this.emitNext);
  }

  /** Emits one message. Promises settle between two, a listener that throws stops none, and the loop gets its turn. */
  private readonly emitNext = (): void => {
    this.leftOfTurn = this.leftOfTurn > 0 ? this.leftOfTurn - 1 : TURN_MESSAGES;
    this.isEmitting = this.canEmit();
    if (!this.isEmitting) return;
    this.continueEmitting();
    this.emit('message', this.take());
  };

  private emitRest(): void {
    while (this.canEmit()) {
      try {
        this.emit('message', this.take());
      } catch (error) {
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }

  private canEmit(): boolean {
    return this.listenerCount('message') > 0 && !this.isClosed && this.reader.hasMessage();
  }

  private startListening(): void {
    this.port.on('message', this.onPort);
    this.reader.listen(true);
    // What came before anybody listened rings no bell.
    setImmediate(() => this.emitSoon());
  }

  private stopListening(): void {
    this.reader.listen(false);
    this.port.off('message', this.onPort);
  }
}
