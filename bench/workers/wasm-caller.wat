;; Loops that call what they import: the near side of the wasm rows, and the import half of their floor.
(module
  (import "callee" "add" (func $add (param i32 i32) (result i32)))
  (import "callee" "six" (func $six (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "callee" "take__b" (func $take (param i32 i32)))
  (memory (export "memory") 8)
  (func (export "l3_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "add") (param $left i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (call $add (local.get $sum) (i32.const 2)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (local.get $sum))
  (func (export "six") (param $left i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (call $six (local.get $sum) (i32.const 2) (i32.const 3) (local.get $left) (i32.const 5) (i32.const 6)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (local.get $sum))
  (func (export "take") (param $left i32) (param $length i32)
    (loop $again
      (call $take (i32.const 1024) (local.get $length))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))
