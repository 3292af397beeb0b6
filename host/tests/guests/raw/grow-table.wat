;; Makes its table larger until it may not.
(table $table 1 funcref)
(func (export "run") (result i32)
  (loop $again
    (if (i32.eq (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))
      (then (unreachable)))
    (br $again))
  (unreachable))
