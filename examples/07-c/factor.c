/*
 * A server that takes its work from another task, one ipc for a request and one for its answer: the smallest factor of
 * a number. It has been granted that task under the name `jobs`, and can call nothing else.
 */
#include "l3.h"

static double smallest_factor(double request) {
  uint32_t n = (uint32_t)request;
  for (uint32_t f = 2; f <= n / f; f++)
    if (n % f == 0) return f;
  return n;
}

/* Works until there is no more. Returns the number of requests served, or minus the status of a call that failed. */
int32_t L3_EXPORT(work)(void) {
  int32_t jobs = l3_task("jobs");
  int32_t served = l3_serve(jobs, l3_method(jobs, "take"), l3_method(jobs, "answer"), smallest_factor);
  return l3_status() == L3_OK ? served : -l3_status();
}
