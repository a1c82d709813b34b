;; A loop that calls what may suspend it: the near side of the rows on threads with stacks of their own.
(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (func (export "run") (param $left i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (call $wait (local.get $sum)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (local.get $sum)))
