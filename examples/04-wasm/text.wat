;; A task in a linear memory of its own. Its exports are its interface: numbers as they are, strings by the convention
;; that the name states (`shout__s_s` takes a string and gives one).
(module
  (import "host" "log__s" (func $log (param i32 i32)))
  (memory (export "memory") 1)

  ;; Room for what others send. This task keeps nothing from one call to the next, so that the room is always the same.
  (func (export "l3_alloc") (param $length i32) (result i32)
    (block $fits
      (br_if $fits (i32.le_u (local.get $length) (i32.const 61440)))
      unreachable)
    (i32.const 4096))

  (func (export "add") (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1)))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))

  ;; Letters to capitals, in place. The result is the address of a pair: address and length of the string.
  (func (export "shout__s_s") (param $at i32) (param $length i32) (result i32)
    (local $end i32) (local $letter i32) (local $p i32)
    (call $log (local.get $at) (local.get $length))
    (local.set $p (local.get $at))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $letter (i32.load8_u (local.get $p)))
        (if (i32.lt_u (i32.sub (local.get $letter) (i32.const 97)) (i32.const 26))
          (then (i32.store8 (local.get $p) (i32.sub (local.get $letter) (i32.const 32)))))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br $next)))
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $length))
    (i32.const 0))

  ;; What a stranger's code may try: an address that is not its own.
  (func (export "steal") (call $log (i32.const 100000000) (i32.const 8))))
