/*
 * Wasm tasks in C: strings and bytes as {address, length}, calls to other tasks, memory for what comes in. One header
 * and no library. With clang and lld:
 *
 *   clang --target=wasm32 -std=c11 -O2 -nostdlib -Wl,--no-entry -I sdk/c -o task.wasm task.c
 *
 * One file of a task defines L3_MEMORY before it includes this and gets the memory as well; without it the task brings
 * an `l3_alloc` of its own, over its own malloc.
 *
 * What is given to a function is the task's until the activation ends, and so is what it gives back and what it has
 * from `l3_room`: an exported function that is called with strings or bytes begins with L3_ACTIVATION, and the first
 * room that is asked for after its end takes the place again. The conventions are in sdk/README.md.
 */
#ifndef L3_H
#define L3_H

#include <stddef.h>
#include <stdint.h>

/* A function that others may call. The name states what its parameters are: L3_EXPORT(upper__s_s). */
#define L3_EXPORT(name) __attribute__((export_name(#name))) name
/* A function of somebody else, by module and name; what the spawner grants by `imports` or `host`. */
#define L3_IMPORT(module, name) __attribute__((import_module(#module), import_name(#name)))

/* Bytes, or a string in UTF-8 without a zero at its end. */
typedef struct {
  uint8_t *at;
  uint32_t length;
} l3_span;

/* What a function with a string or bytes as its result gives: the address of a span. */
typedef const l3_span *l3_result;

/* --- the kernel ------------------------------------------------------------------------------------------------- */

/* The task's own thread, and the thread that the present activation serves. */
L3_IMPORT(l3, self) int32_t l3_self(void);
L3_IMPORT(l3, sender) int32_t l3_sender(void);
/* Handle of the task that was granted under a name, and number of its function of a name; -1 for none. */
L3_IMPORT(l3, task) int32_t l3_task_named(const char *name, uint32_t length);
L3_IMPORT(l3, method) int32_t l3_method_named(int32_t task, const char *name, uint32_t length);
/* How the last call ended. */
L3_IMPORT(l3, status) int32_t l3_status(void);

/* For names that are written out: l3_task("jobs"). */
#define l3_task(name) l3_task_named("" name, sizeof(name) - 1)
#define l3_method(task, name) l3_method_named((task), "" name, sizeof(name) - 1)

enum {
  L3_OK = 0,
  L3_TIMEOUT = 2,
  L3_GONE = 4,
  L3_NO_SUCH_TASK = 5,
  L3_DENIED = 7,
  L3_DEADLOCK = 8,
  L3_LIMIT = 9,
  L3_THREW = 100,
  L3_NO_SUCH_METHOD = 101,
};

/*
 * Calls with words of 64 bits. 0 when the call failed: ask l3_status. Any other types are had by a declaration of one's
 * own, under any name: L3_IMPORT(l3, call) int32_t ask(int32_t task, int32_t method, int32_t a, double b);
 */
L3_IMPORT(l3, call) double l3_call0(int32_t task, int32_t method);
L3_IMPORT(l3, call) double l3_call1(int32_t task, int32_t method, double a);
L3_IMPORT(l3, call) double l3_call2(int32_t task, int32_t method, double a, double b);
L3_IMPORT(l3, call) double l3_call3(int32_t task, int32_t method, double a, double b, double c);

/*
 * A server's loop. A thread of a wasm task has no receive: it receives by being called, and its exported functions are
 * what it serves. This is the other way round, for a task that takes its work from another one: asks `take` for a
 * request until it is negative, and gives each to `answer` with what `serve` makes of it. Returns the number of
 * requests served; a call that fails ends the loop, and l3_status says how.
 */
static inline int32_t l3_serve(int32_t task, int32_t take, int32_t answer, double (*serve)(double)) {
  for (int32_t served = 0;; served++) {
    double request = l3_call0(task, take);
    if (l3_status() != L3_OK || !(request >= 0)) return served;
    l3_call2(task, answer, request, serve(request));
    if (l3_status() != L3_OK) return served;
  }
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

/* Ends the task: every call to it, the present one included, is ERR_IPC_PEER_GONE. */
#define l3_trap() __builtin_trap()

/* `length` bytes until the activation ends, aligned for anything. Traps when there are none left. */
void *l3_room(uint32_t length);
/* The same for good. What the activation had before it is kept too. */
void *l3_keep(uint32_t length);

/* Bytes and strings as a result. They are read before anything else runs in the task. */
static inline l3_result l3_give(const void *at, uint32_t length) {
  static l3_span given;
  given.at = (uint8_t *)at;
  given.length = length;
  return &given;
}
#define L3_GIVE_TEXT(text) l3_give("" text, sizeof(text) - 1)

int l3_activation_begins(void);
void l3_activation_ends(int *begun);
/* Stands first in an exported function: what it has taken is free again when it has returned. */
#define L3_ACTIVATION __attribute__((cleanup(l3_activation_ends), unused)) int l3_activation = l3_activation_begins()

#ifdef L3_MEMORY
/* Room is cut off from the end of the data upwards, and is all taken back at once. */
extern uint8_t __heap_base;
static uint8_t *l3_floor = &__heap_base;
static uint8_t *l3_top = &__heap_base;
static int l3_has_ended;

static void l3_take_back(void) {
  if (l3_has_ended) l3_top = l3_floor;
  l3_has_ended = 0;
}

/* The bytes that a function is given are there before it begins. */
int l3_activation_begins(void) {
  l3_take_back();
  return 1;
}

void l3_activation_ends(int *begun) {
  (void)begun;
  l3_has_ended = 1;
}

void *l3_room(uint32_t length) {
  uintptr_t at = ((uintptr_t)l3_top + 15) & ~(uintptr_t)15;
  uintptr_t end = (uintptr_t)__builtin_wasm_memory_size(0) << 16;
  if (at > end || length > end - at) {
    uint32_t pages = (uint32_t)(((uint64_t)at + length - end + 0xffff) >> 16);
    if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) l3_trap();
  }
  l3_top = (uint8_t *)at + length;
  return (void *)at;
}

void *l3_keep(uint32_t length) {
  void *at = l3_room(length);
  l3_floor = l3_top;
  return at;
}

/* The kernel asks for room before each activation, and for what other tasks give back during one. */
__attribute__((export_name("l3_alloc"))) void *l3_alloc(uint32_t length) {
  l3_take_back();
  return l3_room(length);
}

/* Compilers make calls of these from loops and assignments, but not of the loops in these. */
__attribute__((no_builtin("memcpy"))) void *memcpy(void *restrict to, const void *restrict from, size_t length) {
  uint8_t *t = to;
  const uint8_t *f = from;
  while (length--) *t++ = *f++;
  return to;
}
__attribute__((no_builtin("memset"))) void *memset(void *to, int byte, size_t length) {
  uint8_t *t = to;
  while (length--) *t++ = (uint8_t)byte;
  return to;
}
#endif

#endif
