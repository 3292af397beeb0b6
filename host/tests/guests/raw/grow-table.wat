;; Makes its table larger until it may not. Says nonsense if that was later than
;; at ten thousand elements, which is the limit, and traps otherwise.
(table $table 1 funcref)
(func (export "run") (result i32)
  (loop $again
    (br_if $again
      (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
  (if (i32.gt_u (table.size $table) (i32.const 10000)) (then (return (i32.const 1))))
  (unreachable))
