;; A second task, which may call one function of the first and nothing else.
(module
  (import "text" "add" (func $add (param f64 f64) (result f64)))
  (func (export "average") (param f64 f64) (result f64)
    (f64.div (call $add (local.get 0) (local.get 1)) (f64.const 2))))
