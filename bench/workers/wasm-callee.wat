;; The far side of the wasm rows.
(module
  (memory (export "memory") 8)
  (func (export "l3_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "nothing"))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "six") (param i32 i32 i32 i32 i32 i32) (result i32)
    (i32.add (i32.add (i32.add (local.get 0) (local.get 1)) (i32.add (local.get 2) (local.get 3)))
             (i32.add (local.get 4) (local.get 5))))
  (func (export "take__b") (param i32 i32)))
