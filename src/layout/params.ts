/**
 * Every limit of the kernel, in one place. The relations between them are asserted by `checkParams`, each with the
 * sentence that says why. Numbers only: this file imports nothing.
 */

/** "l3k1" in ASCII: the first word of kernel memory. */
export const MAGIC = 0x6c336b31;
/** Raised whenever a field moves: memory of another version is refused, never interpreted. */
export const LAYOUT_VERSION = 1;

/** Bits of a thread id that hold the index of its tcb (paper 5.3.1: the address by mask and multiplication). */
export const INDEX_BITS = 16;
export const INDEX_MASK = (1 << INDEX_BITS) - 1;
/** The index that stands for "anybody" in an open wait. No tcb has it. */
export const ANY_INDEX = INDEX_MASK;
/** Bits of a thread id that hold the generation. 15, so that every id is a positive 32-bit integer. */
export const GENERATION_BITS = 15;
export const GENERATION_MASK = (1 << GENERATION_BITS) - 1;

/**
 * The tcb array is virtual (paper 5.2.5): one record for every index there can be, so that an id needs no range check.
 * Untouched records cost no memory, and all their words are zero, which is the dead state.
 */
export const THREADS_VIRTUAL = 1 << INDEX_BITS;
/**
 * Threads that may exist at one time, unless boot says otherwise. A call does not grow with them: docs/benchmarks.md,
 * I.
 */
export const THREADS_DEFAULT = 8192;
export const THREADS_MAX = THREADS_VIRTUAL - 2;

/** Tasks, and processors: each task in an agent of its own brings one processor. */
export const TASKS_VIRTUAL = 4096;
export const TASKS_DEFAULT = 1024;
export const TASKS_MAX = TASKS_VIRTUAL - 1;

/**
 * Message words of 64 bits: six share the cache line of the state word, ten follow. What other counts would cost, and
 * how large the messages of a program are: docs/benchmarks.md, H.
 */
export const MESSAGE_WORDS = 16;
export const MESSAGE_WORDS_IN_LINE = 6;
/** String items of one message. */
export const STRINGS_MAX = 8;
/** Bytes of a task's name in its record. */
export const NAME_BYTES = 96;

/** Wakeup lists: a thread that wakes at tick t is in list t mod n (paper 5.3.3). A tick: docs/benchmarks.md, I. */
export const WAKEUP_LISTS = 8;
/** Wakeups further away than this wait in the long-term list and are inserted later. */
export const WAKEUP_LONG_ms = 4096;

/**
 * Loads of the own state word before a thread parks, about 13 us, less than one wakeup costs: with a pause between two
 * loads, and without one. Other lengths: docs/benchmarks.md, H.
 */
export const SPIN_LOADS_PAUSING = 500;
export const SPIN_LOADS_BARE = 6000;
/** A long spin is made of such: between two of them the slow path looks for what else may have become of the wait. */
export const SPIN_STEP = 50;
/** A parked thread looks around at least this often: whoever would have woken it may be gone. */
export const PARK_SLICE_ms = 1000;
/** The supervisor shows at these intervals that it lives. */
export const BEAT_ms = 250;
/**
 * Who waits for one partner listens for the beat: the supervisor is gone after so many such slices without one, each
 * slept to its end, so that a suspended process finds its supervisor alive when it goes on.
 */
export const LISTEN_SLICE_ms = 250;
export const SILENT_SLICES_MAX = 5;
/** A call that has waited this long is reported once, with what its callee does meanwhile. */
export const STALL_ms = 5000;
/** Time between two looks for deadlocks while any agent is blocked; else they come with the beat. */
export const DEADLOCK_LOOK_ms = 50;
/** Restarts of one task within a minute; one more, and the supervisor gives it up. */
export const RESTARTS_PER_MINUTE = 10;
/** The first restart within a minute follows at once; the next one waits this long, and each after it twice as long. */
export const RESTART_PAUSE_ms = 10;
export const RESTART_PAUSE_MAX_ms = 1000;
/** What a handler under way has left when the system is shut down. */
export const SHUTDOWN_GRACE_ms = 500;
/** Direct switches between local threads before the event loop runs: the timeslice, in switches. */
export const TURN_SWITCHES = 4096;
/** The same timeslice in time. */
export const TURN_ms = 1;

/** Bytes of the communication window of a thread that waits in place, and of one call in flight. */
export const WINDOW_BYTES = 1 << 20;
export const WINDOW_SMALL_BYTES = 1 << 16;
/** A long message that does not fit the window goes through its two halves in turn. */
export const PIECES = 2;

/** Calls one agent has in flight at a time; more wait in the caller's own heap. */
export const CALLS_IN_FLIGHT = 64;
/** Upcalls inside upcalls, counted in one agent. */
export const UPCALL_DEPTH_MAX = 64;

/** Iterators of other tasks that one agent has open at a time. */
export const STREAMS_OPEN_MAX = 1024;
/** Values of an iterator that one answer brings. */
export const BATCH_MAX = 4096;

/** All of kernel memory, reserved at once and touched as it is used. */
export const MEMORY_BYTES = 0x7fff0000;

/** Throws when the limits contradict each other. Called once at boot. */
export function checkParams(): void {
  const relations: [boolean, string][] = [
    [THREADS_DEFAULT <= THREADS_MAX && THREADS_DEFAULT >= 4096, 'the default number of threads has a tcb each'],
    [TASKS_DEFAULT <= TASKS_MAX && TASKS_DEFAULT >= 256, 'the default number of tasks has a record each'],
    [THREADS_MAX < ANY_INDEX, 'the open wait names no thread'],
    [INDEX_BITS + GENERATION_BITS === 31, 'an id is a positive 32-bit integer, so that V8 keeps it unboxed'],
    [MESSAGE_WORDS_IN_LINE * 8 + 16 === 64, 'four header words and the first message words fill one cache line'],
    [(WAKEUP_LISTS & (WAKEUP_LISTS - 1)) === 0, 'tick mod n is a mask'],
    [LISTEN_SLICE_ms * (SILENT_SLICES_MAX - 2) >= 2 * BEAT_ms, 'a late beat is not a silent supervisor'],
    [WINDOW_SMALL_BYTES % (PIECES * 64) === 0, 'the pieces of a window are whole cache lines'],
    [MEMORY_BYTES < 2 ** 31, 'every byte has an index below 2^31, which V8 keeps as an integer'],
  ];
  for (const [holds, why] of relations) {
    if (!holds) throw new Error(`l3kernel: params contradict each other: ${why}`);
  }
}
